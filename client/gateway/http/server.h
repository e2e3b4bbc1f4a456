// An HTTP/1.1 server: one event loop per thread, one coroutine per connection.
//
// Connections are dealt to the threads in turns; a connection stays on its thread, and so does its handler. One sweep a
// second per thread looks for what took too long: no connection has a timer of its own. Idle connections hold no
// buffer.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "client/gateway/http/worker.h"

namespace digit {

class HttpServer {
 public:
  // Called on the connection's thread, `thread` of 0..threads-1.
  using Handler =
      std::function<asio::awaitable<HttpResponse>(int thread, const HttpRequest& request, HttpExchange& exchange)>;

  struct Options {
    std::string listen = "127.0.0.1:8080";  // HOST:PORT; port 0 picks one
    int threads = 1;
    HttpLimits limits;
    HttpTimeouts timeouts;
    int max_connections = 16'000;                      // beyond it the one whose client has sent nothing for longest is
                                                       // closed; when all are being answered, the new one
    int64_t max_buffered_bytes = int64_t{256} << 20;   // of all bodies; beyond it a request is answered 503
    absl::Duration drain_timeout = absl::Seconds(20);  // for what was being answered when Stop() came
    const Clock* clock = SteadyClock();                // not owned
  };

  // Listens and starts its threads. INVALID_ARGUMENT: `listen` is no address. UNAVAILABLE: it cannot be listened on.
  // `on_bad_request` makes the answer to what is no request.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(Options options, Handler handler,
                                                           OnBadRequest on_bad_request);
  ~HttpServer();  // Stop()

  // Takes no more connections, answers what is being read or answered, with "Connection: close", ends streams, and
  // after drain_timeout closes what is left. Blocks.
  void Stop();

  const std::string& address() const { return address_; }  // with the port that was picked

 private:
  explicit HttpServer(Options options) : options_(std::move(options)) {}
  absl::Status Listen();
  asio::awaitable<void> Accept();
  void RunAcceptor();

  const Options options_;
  ByteBudget bodies_{options_.max_buffered_bytes};
  std::string address_;
  std::vector<std::unique_ptr<HttpWorker>> workers_;
  asio::io_context accepting_{1};
  asio::ip::tcp::acceptor acceptor_{accepting_};
  std::vector<std::thread> threads_;
};

}  // namespace digit
