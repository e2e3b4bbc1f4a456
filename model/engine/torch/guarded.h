// LibTorch reports by exceptions; here they end.
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace digit {

// Runs `body`. What it throws becomes "LibTorch cannot WHAT: REASON" with `code`, which says whose fault that is, or
// with RESOURCE_EXHAUSTED when a GPU has no memory left.
absl::Status Guarded(absl::StatusCode code, absl::string_view what, const std::function<absl::Status()>& body);

}  // namespace digit
