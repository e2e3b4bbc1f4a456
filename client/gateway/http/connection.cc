#include "client/gateway/http/connection.h"

#include <sys/socket.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/log.h"

namespace digit {

using boost::system::error_code;

namespace {

// Of the header Date, made once a second.
absl::string_view DateNow(HttpConnection::Shared* shared) {
  const SteadyTime now = shared->clock->Now();
  if (shared->date.empty() || now >= shared->dated + absl::Seconds(1)) {
    shared->dated = now;
    shared->date = absl::FormatTime("%a, %d %b %Y %H:%M:%S GMT", absl::Now(), absl::UTCTimeZone());
  }
  return shared->date;
}

std::string HeadOf(const HttpResponse& response, absl::string_view date, bool keep_alive, bool is_http_1_0) {
  std::string head =
      absl::StrCat("HTTP/1.1 ", response.status, " ", HttpReason(response.status), "\r\nDate: ", date, "\r\n");
  if (!response.content_type.empty()) absl::StrAppend(&head, "Content-Type: ", response.content_type, "\r\n");
  if (response.stream) {
    if (!is_http_1_0) absl::StrAppend(&head, "Transfer-Encoding: chunked\r\n");
  } else if (response.status != 204 && response.status != 304) {
    absl::StrAppend(&head, "Content-Length: ", response.body.size(), "\r\n");
  }
  for (const auto& [name, value] : response.headers) absl::StrAppend(&head, name, ": ", value, "\r\n");
  if (!keep_alive) {
    absl::StrAppend(&head, "Connection: close\r\n");
  } else if (is_http_1_0) {
    absl::StrAppend(&head, "Connection: keep-alive\r\n");
  }
  return head + "\r\n";
}

}  // namespace

HttpConnection::HttpConnection(asio::ip::tcp::socket socket, Shared* shared)
    : socket_(std::move(socket)), shared_(shared) {
  error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.non_blocking(true, ignored);
  exchange_.peer = socket_.remote_endpoint(ignored).address().to_string(ignored);
  Enter(Phase::kIdle);
}

void HttpConnection::Enter(Phase phase) {
  phase_ = phase;
  since_ = shared_->clock->Now();
}

SteadyTime HttpConnection::Deadline() const {
  const HttpTimeouts& t = shared_->timeouts;
  switch (phase_) {
    case Phase::kIdle:
      return since_ + t.idle;
    case Phase::kHead:
      return since_ + t.head;
    case Phase::kBody:
      return since_ + t.body;
    case Phase::kWriting:
      return since_ + t.write;
    case Phase::kLingering:
      return since_ + t.linger;
    case Phase::kAnswering:  // the handler has its own deadlines
    case Phase::kStreaming:
    case Phase::kClosed:
      return SteadyTime::InfiniteFuture();
  }
  return SteadyTime::InfiniteFuture();
}

bool HttpConnection::ClientHasGone() {
  char byte = 0;
  const ssize_t got = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

void HttpConnection::Sweep(SteadyTime now) {
  if (now > Deadline()) {
    timed_out_ = true;
    error_code ignored;
    socket_.cancel(ignored);
    return;
  }
  if ((phase_ == Phase::kAnswering || phase_ == Phase::kStreaming) && !gone_ && ClientHasGone()) {
    gone_ = true;
    if (exchange_.on_gone) exchange_.on_gone();
  }
}

void HttpConnection::Drain() {
  draining_ = true;
  if (phase_ == Phase::kStreaming && exchange_.on_gone) exchange_.on_gone();
}

void HttpConnection::Close() {
  Enter(Phase::kClosed);
  error_code ignored;
  socket_.close(ignored);  // whatever waits on it ends
  if (exchange_.on_gone) exchange_.on_gone();
}

// Into `in_`; false: nothing comes any more, or it took too long.
asio::awaitable<bool> HttpConnection::ReadMore() {
  while (true) {
    error_code error;
    const size_t got = socket_.read_some(asio::buffer(shared_->scratch), error);
    if (got > 0) {
      in_.append(shared_->scratch, 0, got);
      co_return true;
    }
    if (error != asio::error::would_block && error != asio::error::try_again) co_return false;
    if (in_.empty()) std::string().swap(in_);  // an idle connection holds no memory
    co_await socket_.async_wait(socket_.wait_read, asio::redirect_error(asio::use_awaitable, error));
    if (error || timed_out_) co_return false;
  }
}

asio::awaitable<bool> HttpConnection::WriteAll(absl::string_view head, absl::string_view body) {
  const std::array<asio::const_buffer, 2> both = {asio::buffer(head.data(), head.size()),
                                                  asio::buffer(body.data(), body.size())};
  error_code error;
  size_t written = socket_.write_some(both, error);  // mostly all of it, without a turn of the event loop
  if (error && error != asio::error::would_block && error != asio::error::try_again) co_return false;
  if (written == head.size() + body.size()) co_return true;
  const size_t of_head = std::min(written, head.size());
  head.remove_prefix(of_head);
  body.remove_prefix(written - of_head);
  const std::array<asio::const_buffer, 2> rest = {asio::buffer(head.data(), head.size()),
                                                  asio::buffer(body.data(), body.size())};
  co_await asio::async_write(socket_, rest, asio::redirect_error(asio::use_awaitable, error));
  co_return !error;
}

asio::awaitable<bool> HttpConnection::Write(std::string part) {
  if (draining_ || gone_ || part.empty()) co_return !draining_ && !gone_;
  Enter(Phase::kWriting);
  std::string size;
  if (chunked_) {
    size = absl::StrCat(absl::Hex(part.size()), "\r\n");
    part += "\r\n";
  }
  const bool taken = co_await WriteAll(size, part);
  Enter(Phase::kStreaming);
  co_return taken && !draining_ && !timed_out_;
}

asio::awaitable<bool> HttpConnection::Answer(HttpResponse response, bool is_head, bool is_http_1_0, bool keep_alive) {
  if (response.stream) keep_alive = false;
  const std::string head = HeadOf(response, DateNow(shared_), keep_alive, is_http_1_0);
  Enter(Phase::kWriting);
  const bool taken = co_await WriteAll(head, is_head ? absl::string_view() : absl::string_view(response.body));
  if (!taken || !response.stream || is_head) co_return taken&& keep_alive;
  Enter(Phase::kStreaming);
  chunked_ = !is_http_1_0;  // else the end of the connection is the end of the body
  co_await response.stream(*this);
  Enter(Phase::kWriting);
  if (chunked_ && !gone_ && !timed_out_) co_await WriteAll("0\r\n\r\n", "");
  co_return false;
}

// Says why, and waits for the client to stop sending: closed at once, the connection would be reset, and the client
// might never see the answer.
asio::awaitable<void> HttpConnection::Refuse(const HttpError& error) {
  timed_out_ = false;
  co_await Answer(shared_->on_bad_request(error), false, false, false);
  error_code ignored;
  socket_.shutdown(socket_.shutdown_send, ignored);
  Enter(Phase::kLingering);
  constexpr int kMaxReads = 1000;
  for (int i = 0; i < kMaxReads; ++i) {
    in_.clear();
    if (!co_await ReadMore()) break;
  }
}

asio::awaitable<bool> HttpConnection::AnswerOne() {
  Enter(in_.empty() ? Phase::kIdle : Phase::kHead);
  if (in_.empty() && !co_await ReadMore()) co_return false;
  RequestReader reader(shared_->limits);
  ByteBudget::Share held(shared_->bodies);
  using State = RequestReader::State;
  if (phase_ == Phase::kIdle) Enter(Phase::kHead);
  while (true) {
    const State state = reader.Read(&in_);
    if (state == State::kDone) break;
    if (state == State::kFailed) {
      co_await Refuse(reader.error());
      co_return false;
    }
    if (state == State::kBody && phase_ == Phase::kHead) {
      Enter(Phase::kBody);
      if (reader.expects_continue() && in_.empty()) co_await WriteAll("HTTP/1.1 100 Continue\r\n\r\n", "");
    }
    if (!co_await ReadMore()) {
      if (timed_out_) co_await Refuse(reader.Refusal(408, "the request took too long to arrive"));
      co_return false;
    }
    if (phase_ == Phase::kBody && !held.Take(in_.size())) {
      co_await Refuse(reader.Refusal(503, "too many large bodies are being received; try again"));
      co_return false;
    }
  }
  Enter(Phase::kAnswering);
  const HttpRequest& request = reader.request();
  HttpResponse response = co_await shared_->handler(request, exchange_);
  exchange_.on_gone = nullptr;
  const bool keep_alive = request.keep_alive && !draining_;
  co_return co_await Answer(std::move(response), request.method == "HEAD", request.is_http_1_0, keep_alive) &&
      !timed_out_;
}

asio::awaitable<void> HttpConnection::Run() {
  while (!draining_ || !in_.empty()) {
    if (!co_await AnswerOne()) break;
    exchange_.on_gone = nullptr;
  }
  error_code ignored;
  socket_.shutdown(socket_.shutdown_both, ignored);
  socket_.close(ignored);
}

}  // namespace digit
