// A clock that stands still until a test moves it.
#pragma once

#include <algorithm>
#include <vector>

#include "base/clock.h"

namespace digit {

// Thread-safe. A wait ends when the simulated time reaches its deadline or its CondVar is notified; waiters look every
// millisecond of real time, so nothing can be missed and no test depends on how long that takes.
class SimulatedClock : public Clock {
 public:
  explicit SimulatedClock(SteadyTime now = SteadyTime(absl::Seconds(1000))) : now_(now) {}

  SteadyTime Now() const override {
    MutexLock lock(&mu_);
    return now_;
  }

  void Advance(absl::Duration d) {
    MutexLock lock(&mu_);
    now_ = now_ + d;
  }

  void WaitUntil(CondVar* cv, Mutex* mu, SteadyTime deadline) const override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    {
      MutexLock lock(&mu_);
      if (deadline <= now_) return;
      sleepers_.push_back(deadline);
    }
    changed_.NotifyAll();
    RealWaitUntil(cv, mu, std::chrono::steady_clock::now() + std::chrono::milliseconds(1));
    MutexLock lock(&mu_);
    sleepers_.erase(std::find(sleepers_.begin(), sleepers_.end(), deadline));
  }

  // Blocks until some thread waits for exactly `due`.
  void WaitForSleeperDueAt(SteadyTime due) const {
    MutexLock lock(&mu_);
    while (std::find(sleepers_.begin(), sleepers_.end(), due) == sleepers_.end()) changed_.Wait(&mu_);
  }

 private:
  mutable Mutex mu_;
  mutable CondVar changed_;
  SteadyTime now_ ABSL_GUARDED_BY(mu_);
  mutable std::vector<SteadyTime> sleepers_ ABSL_GUARDED_BY(mu_);
};

}  // namespace digit
