// Whether new work is let in, from how long it would wait. Pure.
#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "daemon/batching/queue_metrics.h"

namespace digit {

struct Prediction {
  absl::Duration wait;    // until the first of the new tasks starts
  absl::Duration finish;  // until the last one is done
};

// `busy`: what each executor that may run the work still needs for its current batch; not empty. `ahead`: executor time
// of what runs before the first of the new tasks. `own`: how long all of them will take once it has started.
Prediction PredictWait(absl::Span<const absl::Duration> busy, absl::Duration ahead, absl::Duration own);

struct AdmissionLimits {
  absl::Duration max_queue_wait = absl::InfiniteDuration();
};

// OK, or RESOURCE_EXHAUSTED that names the limit and carries the time after which a retry would be let in
// (base/retry_after.h); then `why` is kWait or kDeadline. `time_left`: until the caller's deadline.
absl::Status Admit(const Prediction& prediction, const AdmissionLimits& limits, absl::Duration time_left, Refusal* why);

}  // namespace digit
