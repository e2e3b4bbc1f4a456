#include "daemon/app/admin_token.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"

namespace digit {

absl::StatusOr<std::string> ReadAdminToken(const std::string& path) {
  if (path.empty()) return std::string();
  constexpr int64_t kMaxBytes = 4096;
  ASSIGN_OR_RETURN(const std::string content, ReadFile(path, kMaxBytes));
  const absl::string_view line = absl::StripAsciiWhitespace(absl::string_view(content).substr(0, content.find('\n')));
  constexpr size_t kFewest = 16;
  if (!std::all_of(line.begin(), line.end(), [](char c) { return c > ' ' && c < 127; })) {
    return absl::InvalidArgumentError(
        absl::StrCat("admin token file '", path, "': its first line must be letters, digits and signs of ASCII alone"));
  }
  if (line.size() >= kFewest) return std::string(line);
  return absl::InvalidArgumentError(absl::StrCat("admin token file '", path, "': its first line has ", line.size(),
                                                 " characters, must have at least ", kFewest));
}

}  // namespace digit
