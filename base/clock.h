// Time, injected: components take a `const Clock*` and never read a clock of their own, so that tests can move time
// (tests/support/simulated_clock.h).
#pragma once

#include <chrono>
#include <compare>

#include "absl/time/time.h"
#include "base/mutex.h"

namespace digit {

// A point on the steady clock; its zero is arbitrary (the machine's boot, on Linux). RPC deadlines, which are wall
// time, are turned into this once, at the edge.
class SteadyTime {
 public:
  constexpr SteadyTime() = default;  // the clock's zero
  explicit constexpr SteadyTime(absl::Duration since_zero) : since_zero_(since_zero) {}
  static constexpr SteadyTime InfiniteFuture() { return SteadyTime(absl::InfiniteDuration()); }

  constexpr absl::Duration since_zero() const { return since_zero_; }

  friend SteadyTime operator+(SteadyTime t, absl::Duration d) { return SteadyTime(t.since_zero_ + d); }
  friend SteadyTime operator-(SteadyTime t, absl::Duration d) { return SteadyTime(t.since_zero_ - d); }
  friend absl::Duration operator-(SteadyTime a, SteadyTime b) { return a.since_zero_ - b.since_zero_; }
  friend bool operator==(SteadyTime a, SteadyTime b) { return a.since_zero_ == b.since_zero_; }
  friend std::strong_ordering operator<=>(SteadyTime a, SteadyTime b) {
    if (a.since_zero_ < b.since_zero_) return std::strong_ordering::less;
    return a.since_zero_ == b.since_zero_ ? std::strong_ordering::equal : std::strong_ordering::greater;
  }

 private:
  absl::Duration since_zero_ = absl::ZeroDuration();
};

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual SteadyTime Now() const = 0;
  // Waits on `cv` until it is notified, `deadline` passes, or for no reason at all; call it in a loop that tests the
  // condition. `mu` is held before and after.
  virtual void WaitUntil(CondVar* cv, Mutex* mu, SteadyTime deadline) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) = 0;

 protected:
  // The real wait, for implementations.
  static void RealWaitUntil(CondVar* cv, Mutex* mu, std::chrono::steady_clock::time_point deadline)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    cv->WaitUntil(mu, deadline);
  }
};

// The machine's steady clock. Never deleted.
const Clock* SteadyClock();

}  // namespace digit
