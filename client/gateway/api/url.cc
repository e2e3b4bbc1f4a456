#include "client/gateway/api/url.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/safe_text.h"
#include "base/status.h"

namespace digit {
namespace {

absl::StatusOr<std::string> Decode(absl::string_view text, bool plus_is_space) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      decoded += ' ';
    } else if (text[i] != '%') {
      decoded += text[i];
    } else {
      const absl::string_view hex = text.substr(i + 1, 2);
      if (hex.size() != 2 || !absl::ascii_isxdigit(static_cast<unsigned char>(hex[0])) ||
          !absl::ascii_isxdigit(static_cast<unsigned char>(hex[1])) || hex == "00") {
        return absl::InvalidArgumentError("the URL has a % that is not followed by two hex digits other than 00");
      }
      decoded += absl::HexStringToBytes(hex);
      i += 2;
    }
  }
  if (!IsUtf8(decoded)) return absl::InvalidArgumentError("the URL has bytes that are not UTF-8");
  return decoded;
}

}  // namespace

absl::StatusOr<Url> ParseUrl(absl::string_view target) {
  Url url;
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(target, absl::MaxSplits('?', 1));
  const absl::string_view path = parts.first.empty() ? parts.first : parts.first.substr(1);  // without the first '/'
  for (const absl::string_view segment : absl::StrSplit(path, '/')) {
    ASSIGN_OR_RETURN(std::string decoded, Decode(segment, false));
    url.segments.push_back(std::move(decoded));
  }
  if (parts.second.empty()) return url;
  for (const absl::string_view pair : absl::StrSplit(parts.second, '&', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> both = absl::StrSplit(pair, absl::MaxSplits('=', 1));
    ASSIGN_OR_RETURN(std::string name, Decode(both.first, true));
    ASSIGN_OR_RETURN(std::string value, Decode(both.second, true));
    const bool is_first = url.query.emplace(name, std::move(value)).second;
    if (!is_first) return absl::InvalidArgumentError(absl::StrCat("the query has ", name.substr(0, 40), " twice"));
  }
  return url;
}

}  // namespace digit
