#include "daemon/registry/digest_list.h"

#include <algorithm>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"

namespace digit {

absl::Status DigestList::Check(absl::string_view sha256, absl::string_view model) const {
  if (path_.empty()) return absl::OkStatus();
  constexpr int64_t kMaxBytes = 1 << 20;
  constexpr size_t kDigits = 64;
  const absl::StatusOr<std::string> text = ReadFile(path_, kMaxBytes);
  if (!text.ok()) {
    return absl::FailedPreconditionError(absl::StrCat("the list of digests: ", text.status().message()));
  }
  bool found = false;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line[0] == '#') continue;
    const absl::string_view digest = line.substr(0, line.find_first_of(" \t"));
    if (digest.size() != kDigits || !std::all_of(digest.begin(), digest.end(), absl::ascii_isxdigit)) {
      return absl::FailedPreconditionError(
          absl::StrCat("the list of digests '", path_, "', line ", number, ": does not begin with 64 hex digits"));
    }
    found = found || absl::AsciiStrToLower(digest) == sha256;
  }
  if (found) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("model '", model, "' has the SHA-256 ", sha256,
                                                    ", which is not in the list of digests '", path_, "'"));
}

}  // namespace digit
