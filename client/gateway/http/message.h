// What HTTP carries, as plain values.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace digit {

namespace asio = boost::asio;

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;  // in order; names as they came

// The value of the first header `name`, whatever its case; empty: there is none.
inline absl::string_view FindHeader(const HttpHeaders& headers, absl::string_view name) {
  for (const auto& [key, value] : headers) {
    if (absl::EqualsIgnoreCase(key, name)) return value;
  }
  return {};
}

struct HttpRequest {
  std::string method;  // "POST"
  std::string target;  // as it came: "/v1/models?x=1"
  HttpHeaders headers;
  std::string body;
  bool keep_alive = true;
  bool is_http_1_0 = false;

  absl::string_view header(absl::string_view name) const { return FindHeader(headers, name); }
};

// Where the parts of an answer go that has no length yet.
class HttpWriter {
 public:
  virtual ~HttpWriter() = default;
  // False: nobody reads any more, or the server stops.
  virtual asio::awaitable<bool> Write(std::string part) = 0;
};

struct HttpResponse {
  int status = 200;
  std::string content_type;  // empty: no body is meant
  HttpHeaders headers;       // besides content type, length and connection
  std::string body;
  // When set it writes the body, in parts, after the header; `body` is empty. The connection ends with it.
  std::function<asio::awaitable<void>(HttpWriter& writer)> stream;
};

// One request and its answer, as the handler sees the connection. Used on the connection's thread only.
struct HttpExchange {
  std::string peer;  // "127.0.0.1"
  // Set by whoever waits for something: called once when nobody will read the answer, or the server cannot wait longer.
  std::function<void()> on_gone;
};

// "Not Found".
absl::string_view HttpReason(int status);

}  // namespace digit
