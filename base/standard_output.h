// What a program prints for others to read, and whether it got there.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace digit {

// Writes `text` to standard output and flushes it. Blocks as long as the reader does. ABORTED: the reader has gone, it
// had all it wanted (only where SIGPIPE is ignored). Else the message says why: "cannot write to standard output: No
// space left on device".
absl::Status WriteToStandardOutput(absl::string_view text);

}  // namespace digit
