// One connection: requests in, answers out, one after the other. Internal to client/gateway/http. Everything happens on
// one thread, its worker's.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <string>

#include "absl/time/time.h"
#include "base/clock.h"
#include "client/gateway/http/byte_budget.h"
#include "client/gateway/http/message.h"
#include "client/gateway/http/request_reader.h"

namespace digit {

struct HttpTimeouts {
  absl::Duration head = absl::Seconds(10);   // from a request's first byte to the end of its header
  absl::Duration body = absl::Seconds(60);   // from there to the end of its body
  absl::Duration idle = absl::Seconds(75);   // between requests
  absl::Duration write = absl::Seconds(30);  // for an answer, or a part of a stream, to be taken
  absl::Duration linger = absl::Seconds(2);  // for a client to stop sending after an error ended the connection
};

using HttpHandler = std::function<asio::awaitable<HttpResponse>(const HttpRequest& request, HttpExchange& exchange)>;
using OnBadRequest = std::function<HttpResponse(const HttpError& error)>;

class HttpConnection final : public HttpWriter {
 public:
  struct Shared {  // by the connections of a thread; outlives them
    HttpLimits limits;
    HttpTimeouts timeouts;
    HttpHandler handler;
    OnBadRequest on_bad_request;
    const Clock* clock = nullptr;
    ByteBudget* bodies = nullptr;
    std::string scratch;  // what is read before it is known whose buffer it needs
    std::string date;     // of the header Date
    SteadyTime dated;     // when `date` was made
  };
  HttpConnection(asio::ip::tcp::socket socket, Shared* shared);

  // Until the connection ends. Throws nothing that a client brings about.
  asio::awaitable<void> Run();

  // Ends what takes too long, and tells a handler whose client has gone.
  void Sweep(SteadyTime now);
  // The current answer is the last; that of the request that is on its way to an idle connection.
  void Drain();
  void Close();

  // Whether it waits for its client to send, and since when.
  bool is_quiet() const {
    return phase_ == Phase::kIdle || phase_ == Phase::kHead || phase_ == Phase::kBody || phase_ == Phase::kLingering;
  }
  bool is_idle() const { return phase_ == Phase::kIdle; }
  SteadyTime since() const { return since_; }

  asio::awaitable<bool> Write(std::string part) override;  // of a stream

 private:
  enum class Phase { kIdle, kHead, kBody, kAnswering, kWriting, kStreaming, kLingering, kClosed };

  void Enter(Phase phase);
  SteadyTime Deadline() const;
  asio::awaitable<bool> ReadMore();
  asio::awaitable<bool> WriteAll(absl::string_view head, absl::string_view body);
  asio::awaitable<bool> Answer(HttpResponse response, bool is_head, bool is_http_1_0, bool keep_alive);
  asio::awaitable<void> Refuse(const HttpError& error);
  asio::awaitable<bool> AnswerOne();  // false: the connection ends
  bool ClientHasGone();

  asio::ip::tcp::socket socket_;
  Shared* const shared_;
  HttpExchange exchange_;
  std::string in_;  // read, not yet used
  Phase phase_ = Phase::kIdle;
  SteadyTime since_;  // of the phase
  bool draining_ = false, timed_out_ = false, gone_ = false;
  bool chunked_ = true;  // the stream that is written
};

}  // namespace digit
