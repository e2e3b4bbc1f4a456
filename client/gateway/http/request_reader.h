// From the bytes of a connection to requests. Does no I/O and knows no time.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "client/gateway/http/head_rules.h"
#include "client/gateway/http/message.h"

namespace digit {

struct HttpLimits {
  size_t max_head_bytes = 16 << 10;
  size_t max_body_bytes = 15 << 20;
};

// One request: Read() until kDone or kFailed.
class RequestReader {
 public:
  enum class State { kHead, kBody, kDone, kFailed };

  explicit RequestReader(const HttpLimits& limits);
  ~RequestReader();

  // Takes what it can use from the front of `bytes`; what is left when it is done belongs to the next request. The
  // state is kHead or kBody: give it more, after what was left.
  State Read(std::string* bytes);

  // In kBody: the client waits for "100 Continue" before it sends the body.
  bool expects_continue() const;

  HttpRequest& request() { return request_; }        // in kDone
  const HttpError& error() const { return error_; }  // in kFailed
  // For a request that is refused for another reason: with what has come of it.
  HttpError Refusal(int status, std::string detail) const;

 private:
  struct Parser;  // keeps Boost.Beast out of this header: 20 s of compile time

  State Fail(HttpError error);
  State ReadHead(std::string* bytes);

  const HttpLimits limits_;
  const std::unique_ptr<Parser> parser_;
  State state_ = State::kHead;
  size_t searched_ = 0;  // bytes of an unfinished head in which no end is
  HttpRequest request_;
  HttpError error_;
};

}  // namespace digit
