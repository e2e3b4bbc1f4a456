// One thread's event loop and its connections. Internal to client/gateway/http.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <unordered_set>

#include "client/gateway/http/connection.h"

namespace digit {

class HttpWorker {
 public:
  HttpWorker(HttpConnection::Shared shared, int max_connections);

  asio::io_context& io() { return io_; }

  // The event loop; returns after Drain() once every connection has ended.
  void Run();

  // Thread-safe. `socket` belongs to io().
  void Add(asio::ip::tcp::socket socket);
  void Drain(absl::Duration timeout);  // what is not done then is closed

 private:
  void Begin(asio::ip::tcp::socket socket);
  bool MakeRoom();  // false: every connection is being answered
  void SweepLater();
  void EndWhenEmpty();

  asio::io_context io_{1};
  HttpConnection::Shared shared_;
  const size_t max_connections_;
  asio::steady_timer sweep_{io_}, drain_{io_}, idle_{io_};
  std::unordered_set<std::shared_ptr<HttpConnection>> connections_;
  bool draining_ = false;
};

}  // namespace digit
