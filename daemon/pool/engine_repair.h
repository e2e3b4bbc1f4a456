// Builds failed engines anew, on a thread of its own, with pauses that double while they keep failing.
#pragma once

#include <functional>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"

namespace digit {

// The pause before the attempt after `failures` failures in a row (>= 1): 100 ms, 200 ms, ... 60 s. Guess.
absl::Duration RepairPause(int failures);

// Runs jobs at their time, one after the other. Thread-safe.
class EngineRepair {
 public:
  explicit EngineRepair(const Clock* clock);  // not owned
  ~EngineRepair();                            // Stop()

  // `job` runs on the repair thread, not before `due`; it may call At() again. Ignored after Stop().
  void At(SteadyTime due, std::function<void()> job) ABSL_LOCKS_EXCLUDED(mu_);

  // Waits for the job under way and drops the others. Idempotent.
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Job {
    SteadyTime due;
    std::function<void()> run;
  };
  void Run() ABSL_LOCKS_EXCLUDED(mu_);

  const Clock* const clock_;
  Mutex mu_;
  CondVar changed_;
  std::vector<Job> jobs_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace digit
