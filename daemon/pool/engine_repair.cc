#include "daemon/pool/engine_repair.h"

#include <algorithm>
#include <utility>

#include "base/threads.h"

namespace digit {

absl::Duration RepairPause(int failures) {
  constexpr int kDoublings = 9;
  return std::min(absl::Milliseconds(100) * (1 << std::min(failures - 1, kDoublings + 1)), absl::Seconds(60));
}

EngineRepair::EngineRepair(const Clock* clock)
    : clock_(clock), thread_(StartThread("pool-repair", [this] { Run(); })) {}

EngineRepair::~EngineRepair() { Stop(); }

void EngineRepair::At(SteadyTime due, std::function<void()> job) {
  MutexLock lock(&mu_);
  if (stopping_) return;
  jobs_.push_back({due, std::move(job)});
  changed_.NotifyAll();
}

void EngineRepair::Stop() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  if (thread_.joinable()) thread_.join();
}

void EngineRepair::Run() {
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
