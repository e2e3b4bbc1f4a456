// Text from outside, fit for messages, JSON and logs.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace digit {

// At most max_bytes of `text`, cut between characters: always valid UTF-8, which a proto3 string must be, and without
// control characters, as parts of it may be the caller's own and go to others' terminals and logs. What is neither
// becomes '?'.
std::string SafeText(absl::string_view text, size_t max_bytes);

// Whether all of `text` is valid UTF-8.
bool IsUtf8(absl::string_view text);

}  // namespace digit
