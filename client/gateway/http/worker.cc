#include "client/gateway/http/worker.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <exception>
#include <utility>
#include <vector>

#include "base/log.h"

namespace digit {

HttpWorker::HttpWorker(HttpConnection::Shared shared, int max_connections)
    : shared_(std::move(shared)), max_connections_(static_cast<size_t>(max_connections)) {
  constexpr size_t kScratch = 64 << 10;
  shared_.scratch.resize(kScratch);
}

void HttpWorker::Run() {
  SweepLater();
  io_.run();
}

void HttpWorker::SweepLater() {
  sweep_.expires_after(std::chrono::seconds(1));
  sweep_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    const SteadyTime now = shared_.clock->Now();
    // What a sweep ends is taken out later, by its coroutine.
    for (const auto& connection : connections_) connection->Sweep(now);
    if (!draining_ || !connections_.empty()) SweepLater();
  });
}

void HttpWorker::Add(asio::ip::tcp::socket socket) {
  asio::post(io_, [this, socket = std::move(socket)]() mutable { Begin(std::move(socket)); });
}

void HttpWorker::Begin(asio::ip::tcp::socket socket) {
  if (draining_) return;
  if (connections_.size() >= max_connections_ && !MakeRoom()) return;
  auto connection = std::make_shared<HttpConnection>(std::move(socket), &shared_);
  connections_.insert(connection);
  asio::co_spawn(
      io_, [connection] { return connection->Run(); },
      [this, connection](const std::exception_ptr& thrown) {
        try {
          if (thrown) std::rethrow_exception(thrown);
        } catch (const std::exception& e) {
          LogError("a connection failed", {{"error", e.what()}});
        }
        connection->Close();
        connections_.erase(connection);
        EndWhenEmpty();
      });
}

// Whoever opens connections and sends nothing pays for it, not whoever comes next.
bool HttpWorker::MakeRoom() {
  auto quietest = connections_.end();
  for (auto it = connections_.begin(); it != connections_.end(); ++it) {
    if (!(*it)->is_quiet()) continue;
    if (quietest == connections_.end() || (*it)->since() < (*quietest)->since()) quietest = it;
  }
  if (quietest == connections_.end()) return false;
  (*quietest)->Close();
  // Not later, by its coroutine: counted until then, it would cost somebody else a connection.
  connections_.erase(quietest);
  return true;
}

void HttpWorker::Drain(absl::Duration timeout) {
  asio::post(io_, [this, timeout] {
    draining_ = true;
    for (const auto& connection : connections_) connection->Drain();
    // What is on its way to an idle connection is answered still; closed at once, the connection would be reset.
    idle_.expires_after(std::chrono::milliseconds(500));
    idle_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      for (const auto& connection : connections_) {
        if (connection->is_idle()) connection->Close();
      }
    });
    drain_.expires_after(absl::ToChronoNanoseconds(timeout));
    drain_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      LogWarn("connections are closed that were not done in time", {{"connections", connections_.size()}});
      for (const auto& connection : connections_) connection->Close();
    });
    EndWhenEmpty();
  });
}

void HttpWorker::EndWhenEmpty() {
  if (!draining_ || !connections_.empty()) return;
  sweep_.cancel();
  drain_.cancel();
  idle_.cancel();
}

}  // namespace digit
