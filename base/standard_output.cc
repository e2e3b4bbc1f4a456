#include "base/standard_output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"

namespace digit {

absl::Status WriteToStandardOutput(absl::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) {
    return absl::OkStatus();
  }
  const int error = errno;
  const std::string message = absl::StrCat("cannot write to standard output: ", std::strerror(error));
  return error == EPIPE ? absl::AbortedError(message) : absl::UnknownError(message);
}

}  // namespace digit
