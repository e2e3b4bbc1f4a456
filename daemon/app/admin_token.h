// The token that admin calls need, from its file.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace digit {

// The first line of the file; empty when `path` is. INVALID_ARGUMENT: shorter than 16 characters, or with blanks or
// signs beyond ASCII; else as ReadFile().
absl::StatusOr<std::string> ReadAdminToken(const std::string& path);

}  // namespace digit
