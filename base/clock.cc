#include "base/clock.h"

namespace digit {
namespace {

class RealClock : public Clock {
 public:
  SteadyTime Now() const override {
    return SteadyTime(absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch()));
  }
  void WaitUntil(CondVar* cv, Mutex* mu, SteadyTime deadline) const override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    if (deadline == SteadyTime::InfiniteFuture()) {
      cv->Wait(mu);
      return;
    }
    RealWaitUntil(cv, mu, std::chrono::steady_clock::time_point(absl::ToChronoNanoseconds(deadline.since_zero())));
  }
};

}  // namespace

const Clock* SteadyClock() {
  static const RealClock* const clock = new RealClock;
  return clock;
}

}  // namespace digit
