#include "base/job_thread.h"

#include <algorithm>
#include <utility>

#include "base/threads.h"

namespace digit {

JobThread::JobThread(const std::string& name, const Clock* clock, int nice)
    : clock_(clock), thread_(StartThread(name, [this, nice] {
        if (nice > 0) {
          GiveWayToOtherThreads(nice);
          TakeShortTurns();
        }
        Run();
      })) {}

JobThread::~JobThread() { Stop(); }

void JobThread::At(SteadyTime due, std::function<void()> job) {
  MutexLock lock(&mu_);
  if (stopping_) return;
  jobs_.push_back({due, std::move(job)});
  changed_.NotifyAll();
}

void JobThread::Stop() {
  std::vector<Job> dropped;  // destroyed outside the lock
  {
    MutexLock lock(&mu_);
    stopping_ = true;
    dropped.swap(jobs_);
  }
  changed_.NotifyAll();
  if (thread_.joinable()) thread_.join();
}

void JobThread::Run() {
  while (true) {
    std::function<void()> run;
    {
      MutexLock lock(&mu_);
      while (true) {
        if (stopping_) return;
        const auto next =
            std::min_element(jobs_.begin(), jobs_.end(), [](const Job& a, const Job& b) { return a.due < b.due; });
        if (next != jobs_.end() && next->due <= clock_->Now()) {
          run = std::move(next->run);
          jobs_.erase(next);
          break;
        }
        clock_->WaitUntil(&changed_, &mu_, next == jobs_.end() ? SteadyTime::InfiniteFuture() : next->due);
      }
    }
    run();
  }
}

}  // namespace digit
