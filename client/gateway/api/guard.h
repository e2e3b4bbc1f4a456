// Who may ask what of the gateway. Web pages of others are the danger: a browser that shows one can reach this machine.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/gateway/http/message.h"

namespace digit {

// What a route does.
enum class Access {
  kRead,       // changes nothing
  kRecognize,  // changes nothing, and takes bodies of many kinds
  kChange,     // stores something: only with a content type that no HTML form can send, or none
  kAdmin,      // changes models: as kChange, and on a listener that others reach only with the admin's token
  kAdminRead,  // shows what is private, as kAdmin
};

// "[::1]:80" -> "::1", "localhost:8080" -> "localhost".
absl::string_view HostOf(absl::string_view host_port);

class Guard {
 public:
  struct Options {
    bool listens_on_loopback = true;
    std::vector<std::string> hosts;  // that the gateway is known by, without port; empty: on loopback localhost and its
                                     // addresses, else any
    std::vector<std::string> origins;  // of web pages that may ask, "https://a.example"; empty: only our own
  };
  explicit Guard(Options options) : options_(std::move(options)) {}

  // A problem's status and text, or nothing: go on. 421: Host is none of ours. 403: the page that asks is none that
  // may. 415: a content type that a form can send. 401: the admin's token is missing.
  struct Refusal {
    int status;
    std::string detail;
  };
  std::optional<Refusal> Check(const HttpRequest& request, Access access) const;

  // For the answer to a page of `origin`, if that may ask (CORS); empty: none is needed.
  HttpHeaders CorsHeaders(absl::string_view origin) const;

  bool is_remote() const { return !options_.listens_on_loopback; }

 private:
  bool KnowsHost(absl::string_view host) const;
  bool MayAsk(absl::string_view origin) const;

  const Options options_;
};

}  // namespace digit
