#include "client/gateway/api/multipart.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"

namespace digit {

std::string HeaderParameter(absl::string_view header, absl::string_view name, bool* found) {
  if (found != nullptr) *found = false;
  size_t at = header.find(';');
  while (at != absl::string_view::npos) {
    header = absl::StripLeadingAsciiWhitespace(header.substr(at + 1));
    const size_t equals = header.find_first_of("=;");
    if (equals == absl::string_view::npos) return "";
    const absl::string_view key = absl::StripAsciiWhitespace(header.substr(0, equals));
    if (header[equals] == ';') {
      at = equals;
      continue;
    }
    header = absl::StripLeadingAsciiWhitespace(header.substr(equals + 1));
    std::string value;
    if (absl::ConsumePrefix(&header, "\"")) {
      size_t i = 0;
      for (; i < header.size() && header[i] != '"'; ++i) {
        if (header[i] == '\\' && i + 1 < header.size()) ++i;
        value += header[i];
      }
      header = header.substr(std::min(i + 1, header.size()));
      at = header.find(';');
    } else {
      at = header.find(';');
      value = std::string(absl::StripAsciiWhitespace(header.substr(0, at)));
    }
    if (absl::EqualsIgnoreCase(key, name)) {
      if (found != nullptr) *found = true;
      return value;
    }
  }
  return "";
}

absl::StatusOr<std::vector<FormPart>> ParseMultipart(absl::string_view content_type, absl::string_view body) {
  constexpr size_t kMaxBoundary = 70, kMaxParts = 1024, kMaxPartHead = 8 << 10;
  const std::string boundary = HeaderParameter(content_type, "boundary");
  if (boundary.empty() || boundary.size() > kMaxBoundary) {
    return absl::InvalidArgumentError("multipart/form-data needs a boundary of 1 to 70 characters");
  }
  const absl::Status no_end = absl::InvalidArgumentError(
      "the multipart body does not begin, go on or end with its boundary: it is cut off, or the boundary is another");
  const std::string first = absl::StrCat("--", boundary), next = absl::StrCat("\r\n--", boundary);
  std::vector<FormPart> parts;
  // What is before the first boundary is for mail programs of long ago.
  if (!absl::ConsumePrefix(&body, first)) return no_end;
  while (true) {
    if (absl::StartsWith(body, "--")) return parts;
    while (absl::ConsumePrefix(&body, " ") || absl::ConsumePrefix(&body, "\t")) {
    }
    if (!absl::ConsumePrefix(&body, "\r\n")) return no_end;
    if (parts.size() == kMaxParts) return absl::InvalidArgumentError(absl::StrCat("more than ", kMaxParts, " parts"));
    // An empty header is a line end at once.
    const size_t head_end = absl::StartsWith(body, "\r\n") ? 0 : body.substr(0, kMaxPartHead).find("\r\n\r\n");
    if (head_end == absl::string_view::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("the header of part ", parts.size() + 1, " does not end within ", kMaxPartHead, " bytes"));
    }
    FormPart part;
    for (const absl::string_view line : absl::StrSplit(body.substr(0, head_end), "\r\n")) {
      if (absl::StartsWithIgnoreCase(line, "content-disposition:")) {
        part.name = HeaderParameter(line, "name");
        HeaderParameter(line, "filename", &part.is_file);
      }
    }
    body.remove_prefix(head_end == 0 ? 2 : head_end + 4);
    const size_t end = body.find(next);
    if (end == absl::string_view::npos) return no_end;
    part.bytes = body.substr(0, end);
    body.remove_prefix(end + next.size());
    parts.push_back(std::move(part));
  }
}

}  // namespace digit
