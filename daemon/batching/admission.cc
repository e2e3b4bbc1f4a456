#include "daemon/batching/admission.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/retry_after.h"

namespace digit {
namespace {

// Predictions are averages, an overloaded machine is slower than they say, and the answer must also travel. What is let
// in and comes late is work for nothing, while a shorter queue costs no throughput: so the margin is generous. Measured
// with tests/bench/overload.
constexpr double kDeadlineMargin = 1.25;

std::string Millis(absl::Duration d) { return absl::StrCat(absl::ToInt64Milliseconds(d), " ms"); }

absl::Status Refuse(absl::string_view message, absl::Duration retry_after) {
  return WithRetryAfter(absl::ResourceExhaustedError(message),
                        std::clamp(retry_after, absl::Milliseconds(1), absl::Seconds(30)));
}

}  // namespace

Prediction PredictWait(absl::Span<const absl::Duration> busy, absl::Duration ahead, absl::Duration own) {
  absl::Duration soonest = absl::InfiniteDuration(), sum = absl::ZeroDuration();
  for (const absl::Duration left : busy) {
    soonest = std::min(soonest, left);
    sum += left;
  }
  // Executors share what waits; without anything before it the work starts when the first of them is idle.
  Prediction prediction;
  prediction.wait =
      ahead > absl::ZeroDuration() ? std::max(soonest, (sum + ahead) / static_cast<int64_t>(busy.size())) : soonest;
  prediction.finish = prediction.wait + own;
  return prediction;
}

absl::Status Admit(const Prediction& prediction, const AdmissionLimits& limits, absl::Duration time_left,
                   Refusal* why) {
  if (prediction.wait > limits.max_queue_wait) {
    *why = Refusal::kWait;
    return Refuse(absl::StrCat("overloaded: the request would wait ", Millis(prediction.wait), ", the limit is ",
                               Millis(limits.max_queue_wait)),
                  prediction.wait - limits.max_queue_wait);
  }
  // An idle executor lets everything in: a model that was once measured too slow must get the chance to show better.
  const absl::Duration needed = prediction.finish * kDeadlineMargin;
  if (prediction.wait > absl::ZeroDuration() && needed > time_left) {
    *why = Refusal::kDeadline;
    return Refuse(
        absl::StrCat("overloaded: the answer would take ", Millis(needed), ", the deadline is in ", Millis(time_left)),
        needed - time_left);
  }
  return absl::OkStatus();
}

}  // namespace digit
