// A status that says when it is worth to try again.
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace digit {

// Rounded up to milliseconds. Survives copies of the status, not a new one made from its message.
absl::Status WithRetryAfter(absl::Status status, absl::Duration retry_after);

std::optional<absl::Duration> RetryAfterOf(const absl::Status& status);

}  // namespace digit
