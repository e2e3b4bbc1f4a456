// A thread that runs jobs at their time, one after the other: for slow work that must not hold up its caller.
#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"

namespace digit {

// Thread-safe.
class JobThread {
 public:
  // `name`: of the thread, 15 characters at most. `clock` is not owned. `nice`: GiveWayToOtherThreads(); above 0 the
  // thread also takes short turns (TakeShortTurns()).
  JobThread(const std::string& name, const Clock* clock, int nice = 0);
  ~JobThread();  // Stop()

  // `job` runs on the thread, not before `due`; it may call At() again. Jobs of the same time run in order. Ignored
  // after Stop(), where `job` is destroyed unrun.
  void At(SteadyTime due, std::function<void()> job) ABSL_LOCKS_EXCLUDED(mu_);
  void Soon(std::function<void()> job) { At(SteadyTime(), std::move(job)); }

  // Waits for the job under way and drops the others. Idempotent; not from a job.
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
  std::vector<Job> jobs_ ABSL_GUARDED_BY(mu_);  // in order of At()
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace digit
