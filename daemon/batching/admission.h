// Whether new work is let in, from how long it would wait. Pure.
#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace digit {

struct Prediction {
  absl::Duration wait;    // until the last of the new tasks starts
  absl::Duration finish;  // until it is done
};

// `busy`: what each executor that may run the work still needs for its current batch; not empty. `ahead`: executor time
// of what runs before the last of the new tasks. `batch`: how long its batch will take.
Prediction PredictWait(absl::Span<const absl::Duration> busy, absl::Duration ahead, absl::Duration batch);

struct AdmissionLimits {
  absl::Duration max_queue_wait = absl::InfiniteDuration();
};

// OK, or RESOURCE_EXHAUSTED that names the limit and carries the time after which a retry would be let in
// (base/retry_after.h). `time_left`: until the caller's deadline.
absl::Status Admit(const Prediction& prediction, const AdmissionLimits& limits, absl::Duration time_left);

}  // namespace digit
