#include "client/gateway/http/head_rules.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace digit {
namespace {

bool IsTokenChar(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         absl::StrContains("!#$%&'*+-.^_`|~", absl::string_view(&c, 1));
}

bool IsToken(absl::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), IsTokenChar); }

bool IsNumber(absl::string_view text) {
  constexpr size_t kDigits = 15;  // a petabyte
  return !text.empty() && text.size() <= kDigits &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return absl::ascii_isdigit(c); });
}

HttpError Bad(std::string detail, int status = 400) { return {.status = status, .detail = std::move(detail)}; }

// `authority` gets that of an absolute target, "http://a/x", as proxies are sent it.
std::optional<HttpError> CheckRequestLine(absl::string_view line, bool* is_1_0, absl::string_view* authority) {
  const size_t first = line.find(' '), last = line.rfind(' ');
  if (first == absl::string_view::npos || first == last) return Bad("the request line is not METHOD TARGET HTTP/1.1");
  const absl::string_view method = line.substr(0, first), version = line.substr(last + 1);
  const absl::string_view target = line.substr(first + 1, last - first - 1);
  if (!IsToken(method)) return Bad("the method is no token");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return absl::StartsWith(version, "HTTP/") ? Bad("only HTTP/1.1 and HTTP/1.0 are spoken here", 505)
                                              : Bad("the request line is not METHOD TARGET HTTP/1.1");
  }
  *is_1_0 = version == "HTTP/1.0";
  for (const char c : target) {
    if (c <= ' ' || c > '~') return Bad("the target has characters that must be percent-encoded");
  }
  *authority = AuthorityOf(target);
  if (authority->empty() && !absl::StartsWith(target, "/") && !(target == "*" && method == "OPTIONS")) {
    return Bad("the target must begin with / or be http://HOST/PATH");
  }
  return std::nullopt;
}

}  // namespace

absl::string_view AuthorityOf(absl::string_view target) {
  if (!absl::StartsWithIgnoreCase(target, "http://")) return "";
  target.remove_prefix(absl::string_view("http://").size());
  return target.substr(0, target.find_first_of("/?#"));
}

std::optional<HttpError> CheckHead(absl::string_view head) {
  for (size_t i = 0; i < head.size(); ++i) {
    const char c = head[i];
    const bool pairs =
        c == '\r' ? i + 1 < head.size() && head[i + 1] == '\n' : c != '\n' || (i > 0 && head[i - 1] == '\r');
    if (!pairs) return Bad("lines must end with CR LF");
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c)) && c != '\t' && c != '\r' && c != '\n') {
      return Bad("the header has control characters");
    }
  }
  if (!absl::ConsumeSuffix(&head, "\r\n\r\n")) return Bad("the header does not end");
  bool is_1_0 = false;
  absl::string_view authority;
  size_t end = head.find("\r\n");
  if (auto error = CheckRequestLine(head.substr(0, end), &is_1_0, &authority)) return error;
  int fields = 0, hosts = 0, lengths = 0, encodings = 0;
  while (end != absl::string_view::npos) {
    head.remove_prefix(end + 2);
    end = head.find("\r\n");
    const absl::string_view line = head.substr(0, end);
    const size_t colon = line.find(':');
    if (colon == absl::string_view::npos || !IsToken(line.substr(0, colon))) {
      return Bad("a header line is not NAME: VALUE (folded lines are refused)");
    }
    if (++fields > kMaxHeaderFields) return Bad(absl::StrCat("more than ", kMaxHeaderFields, " header fields"), 431);
    const absl::string_view name = line.substr(0, colon);
    const absl::string_view value = absl::StripAsciiWhitespace(line.substr(colon + 1));
    if (absl::EqualsIgnoreCase(name, "host")) {
      ++hosts;
      if (!authority.empty() && !absl::EqualsIgnoreCase(value, authority)) {
        return Bad("Host is another one than the target's");
      }
    }
    if (absl::EqualsIgnoreCase(name, "content-length")) {
      ++lengths;
      if (!IsNumber(value)) return Bad("Content-Length is no number of at most 15 digits");
    }
    if (absl::EqualsIgnoreCase(name, "transfer-encoding")) {
      ++encodings;
      if (!absl::EqualsIgnoreCase(value, "chunked")) return Bad("Transfer-Encoding other than chunked", 501);
    }
  }
  if (hosts > 1 || (hosts == 0 && !is_1_0)) return Bad("there must be one Host");
  if (lengths > 1) return Bad("more than one Content-Length");
  if (encodings > 1) return Bad("more than one Transfer-Encoding");
  if (encodings > 0 && lengths > 0) return Bad("Content-Length beside Transfer-Encoding");
  if (encodings > 0 && is_1_0) return Bad("Transfer-Encoding in HTTP/1.0");
  return std::nullopt;
}

}  // namespace digit
