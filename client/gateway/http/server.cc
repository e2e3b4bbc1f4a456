#include "client/gateway/http/server.h"

#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "base/threads.h"

namespace digit {

using asio::ip::tcp;
using boost::system::error_code;

namespace {

// How many of so many connections there may be: each is a descriptor. Raises the soft limit, which is often 1,024.
int RoomForConnections(int max_connections) {
  constexpr rlim_t kOthers = 64;  // files, event loops, gRPC's connections
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return max_connections;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t room = limit.rlim_max > 2 * kOthers ? limit.rlim_max - kOthers : limit.rlim_max / 2;
  if (room >= static_cast<rlim_t>(max_connections)) return max_connections;
  LogInfo("fewer connections than were asked for: each is a descriptor (ulimit -n)",
          {{"connections", room}, {"asked", max_connections}});
  return static_cast<int>(room);
}

}  // namespace

absl::string_view HttpReason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(Options options, Handler handler,
                                                              OnBadRequest on_bad_request) {
  options.max_connections = RoomForConnections(options.max_connections);
  std::unique_ptr<HttpServer> server(new HttpServer(std::move(options)));
  const Options& o = server->options_;
  for (int i = 0; i < o.threads; ++i) {
    HttpConnection::Shared shared{
        .limits = o.limits,
        .timeouts = o.timeouts,
        .handler = [handler, i](const HttpRequest& request,
                                HttpExchange& exchange) { return handler(i, request, exchange); },
        .on_bad_request = on_bad_request,
        .clock = o.clock,
        .bodies = &server->bodies_,
        .scratch = {},
        .date = {},
        .dated = {}};
    server->workers_.push_back(
        std::make_unique<HttpWorker>(std::move(shared), std::max(1, o.max_connections / o.threads)));
  }
  RETURN_IF_ERROR(server->Listen());
  for (size_t i = 0; i < server->workers_.size(); ++i) {
    server->threads_.push_back(
        StartThread(absl::StrCat("http-", i), [worker = server->workers_[i].get()] { worker->Run(); }));
  }
  server->threads_.push_back(StartThread("http-accept", [s = server.get()] { s->RunAcceptor(); }));
  return server;
}

absl::Status HttpServer::Listen() {
  const size_t colon = options_.listen.rfind(':');
  int port = 0;
  if (colon == std::string::npos || !absl::SimpleAtoi(options_.listen.substr(colon + 1), &port) || port < 0 ||
      port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("--listen '", options_.listen, "' is not HOST:PORT with a port of 0 to 65535"));
  }
  std::string host = options_.listen.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  error_code error;
  tcp::resolver resolver(accepting_);
  const auto found = resolver.resolve(host, std::to_string(port), tcp::resolver::passive, error);
  if (error || found.empty()) {
    return absl::UnavailableError(absl::StrCat("--listen '", options_.listen, "': the host name does not resolve"));
  }
  const tcp::endpoint endpoint = found.begin()->endpoint();
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", options_.listen, ": ", error.message()));
  }
  address_ = absl::StrCat(options_.listen.substr(0, colon), ":", acceptor_.local_endpoint().port());
  return absl::OkStatus();
}

void HttpServer::RunAcceptor() {
  asio::co_spawn(accepting_, Accept(), asio::detached);
  accepting_.run();
}

asio::awaitable<void> HttpServer::Accept() {
  for (size_t next = 0; acceptor_.is_open(); next = (next + 1) % workers_.size()) {
    HttpWorker& worker = *workers_[next];
    tcp::socket socket(worker.io());
    error_code error;
    co_await acceptor_.async_accept(socket, asio::redirect_error(asio::use_awaitable, error));
    if (!error) {
      worker.Add(std::move(socket));
    } else if (error != asio::error::operation_aborted && error != asio::error::bad_descriptor) {
      // Mostly out of descriptors; the connection stays in the kernel's queue until there is one.
      LogWarn("cannot accept a connection", {{"error", error.message()}});
      asio::steady_timer pause(accepting_, std::chrono::milliseconds(100));
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
    }
  }
}

HttpServer::~HttpServer() { Stop(); }

void HttpServer::Stop() {
  if (threads_.empty()) return;
  asio::post(accepting_, [this] {
    error_code ignored;
    acceptor_.close(ignored);
  });
  threads_.back().join();
  threads_.pop_back();
  for (const auto& worker : workers_) worker->Drain(options_.drain_timeout);
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace digit
