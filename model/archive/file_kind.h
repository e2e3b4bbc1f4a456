// Says what a file is that is no PyTorch model, from its first bytes.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace digit {

// For bytes that do not start like a zip: INVALID_ARGUMENT in one line, what the file is and what to do. Never OK.
absl::Status NotAnArchive(absl::string_view bytes);

}  // namespace digit
