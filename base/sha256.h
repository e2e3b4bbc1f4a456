// SHA-256 by OpenSSL's libcrypto.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace digit {

// 64 lower-case hex digits.
std::string Sha256Hex(absl::string_view bytes);

// The same of a file of any size, read in pieces. Errors as ReadFile's.
absl::StatusOr<std::string> Sha256HexOfFile(const std::string& path);

}  // namespace digit
