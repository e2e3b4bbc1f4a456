// What a request's head must be before a parser sees it. Stricter than the parser: whatever two programs in a row could
// read in different ways (RFC 9112, sections 2.2, 5, 6 and 11.2) is refused, so that no request can hide in another.
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "client/gateway/http/message.h"

namespace digit {

struct HttpError {
  int status = 400;
  std::string detail;
  std::string target = {};   // of the request, when it got that far
  HttpHeaders headers = {};  // the same
};

constexpr int kMaxHeaderFields = 100;

// `head`: from the method to the empty line, "\r\n\r\n" included. Refuses: line ends other than CRLF, control
// characters, folded lines, a request line that is not METHOD SP TARGET SP HTTP/1.0|1.1, names with spaces, more or
// less than one Host in HTTP/1.1, several Content-Length, one that is no number, Transfer-Encoding other than one
// `chunked` (501) or beside a Content-Length or in HTTP/1.0, more than kMaxHeaderFields fields (431), a target with
// another host than Host.
std::optional<HttpError> CheckHead(absl::string_view head);

// "a:80" of "http://a:80/x", the form that proxies are asked in; empty for other targets.
absl::string_view AuthorityOf(absl::string_view target);

}  // namespace digit
