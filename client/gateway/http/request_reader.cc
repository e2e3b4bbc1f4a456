#include "client/gateway/http/request_reader.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

namespace digit {

namespace http = boost::beast::http;

namespace {

bool HasBareLineFeed(absl::string_view bytes) {
  for (size_t at = bytes.find('\n'); at != absl::string_view::npos; at = bytes.find('\n', at + 1)) {
    if (at == 0 || bytes[at - 1] != '\r') return true;
  }
  return false;
}

}  // namespace

struct RequestReader::Parser {
  http::request_parser<http::string_body> parser;
  // Nobody needs a chunk's extensions. Bounded here too: below, only a head that is not whole yet is.
  std::function<void(uint64_t, boost::beast::string_view, boost::system::error_code&)> on_chunk_head =
      [](uint64_t /*size*/, boost::beast::string_view extensions, boost::system::error_code& error) {
        constexpr size_t kMaxExtensions = 1024;
        if (extensions.size() > kMaxExtensions) error = http::error::bad_chunk_extension;
      };
};

RequestReader::RequestReader(const HttpLimits& limits) : limits_(limits), parser_(std::make_unique<Parser>()) {
  parser_->parser.header_limit(static_cast<uint32_t>(limits.max_head_bytes + limits.max_body_bytes));  // see ReadHead
  parser_->parser.body_limit(limits.max_body_bytes);
  parser_->parser.on_chunk_header(parser_->on_chunk_head);
}

RequestReader::~RequestReader() = default;

RequestReader::State RequestReader::Fail(HttpError error) {
  error_ = Refusal(error.status, std::move(error.detail));
  return state_ = State::kFailed;
}

HttpError RequestReader::Refusal(int status, std::string detail) const {
  const auto& head = parser_->parser.get();
  HttpError refusal{.status = status, .detail = std::move(detail), .target = std::string(head.target())};
  for (const auto& field : head) refusal.headers.emplace_back(field.name_string(), field.value());
  return refusal;
}

RequestReader::State RequestReader::ReadHead(std::string* bytes) {
  constexpr absl::string_view kEnd = "\r\n\r\n";
  const size_t end = bytes->find(kEnd.data(), searched_, kEnd.size());
  const size_t size = end == std::string::npos ? bytes->size() : end + kEnd.size();
  if (size > limits_.max_head_bytes) {
    return Fail(
        {.status = 431, .detail = absl::StrCat("the header is longer than ", limits_.max_head_bytes, " bytes")});
  }
  if (end == std::string::npos) {
    searched_ = bytes->size() < kEnd.size() ? 0 : bytes->size() - kEnd.size() + 1;
    // A client that ends its lines with LF alone would wait for us, and we for it.
    if (HasBareLineFeed(*bytes)) return Fail({.detail = "lines must end with CR LF"});
    return state_;
  }
  if (std::optional<HttpError> error = CheckHead(absl::string_view(*bytes).substr(0, size))) {
    return Fail(*std::move(error));
  }
  auto& parser = parser_->parser;
  boost::system::error_code error;
  const size_t used = parser.put(asio::buffer(bytes->data(), size), error);
  if (error == http::error::body_limit) {
    return Fail({.status = 413, .detail = absl::StrCat("the body is longer than ", limits_.max_body_bytes, " bytes")});
  }
  if (error || used != size) return Fail({.detail = absl::StrCat("the header cannot be read: ", error.message())});
  bytes->erase(0, size);
  const auto& head = parser.get();
  request_.method = std::string(head.method_string());
  request_.target = std::string(head.target());
  if (const absl::string_view authority = AuthorityOf(request_.target);
      !authority.empty()) {  // it is Host's: CheckHead
    request_.target.erase(0, static_cast<size_t>(authority.data() + authority.size() - request_.target.data()));
    if (!absl::StartsWith(request_.target, "/")) request_.target = absl::StrCat("/", request_.target);
  }
  request_.keep_alive = head.keep_alive();
  request_.is_http_1_0 = head.version() == 10;
  for (const auto& field : head) {  // before the body: fields of its trailer do not count
    request_.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  return state_ = State::kBody;
}

RequestReader::State RequestReader::Read(std::string* bytes) {
  if (state_ == State::kHead && ReadHead(bytes) != State::kBody) return state_;
  auto& parser = parser_->parser;
  parser.eager(true);
  while (state_ == State::kBody) {
    if (parser.is_done()) {
      request_.body = std::move(parser.get().body());
      return state_ = State::kDone;
    }
    if (bytes->empty()) return state_;
    boost::system::error_code error;
    const size_t used = parser.put(asio::buffer(*bytes), error);
    bytes->erase(0, used);
    if (error == http::error::need_more) {
      if (used > 0 && !bytes->empty()) continue;
      // What is left is the head of a chunk, or the trailer.
      if (HasBareLineFeed(*bytes)) return Fail({.detail = "lines must end with CR LF"});
      if (bytes->size() > limits_.max_head_bytes) return Fail({.detail = "a chunk's head or the trailer is too long"});
      return state_;
    }
    if (error == http::error::body_limit) {
      return Fail(
          {.status = 413, .detail = absl::StrCat("the body is longer than ", limits_.max_body_bytes, " bytes")});
    }
    if (error) return Fail({.detail = absl::StrCat("the body cannot be read: ", error.message())});
  }
  return state_;
}

bool RequestReader::expects_continue() const {
  return !request_.is_http_1_0 && absl::EqualsIgnoreCase(request_.header("expect"), "100-continue");
}

}  // namespace digit
