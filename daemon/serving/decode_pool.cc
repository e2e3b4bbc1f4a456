#include "daemon/serving/decode_pool.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/threads.h"

namespace digit {

DecodePool::DecodePool(const Options& options) : options_(options) {
  for (int i = 0; i < options.threads; ++i) {
    threads_.push_back(StartThread(absl::StrCat("decode-", i), [this] { RunThread(); }));
  }
}

DecodePool::~DecodePool() {
  {
    MutexLock lock(&mu_);
    stopping_ = true;
  }
  job_waits_.NotifyAll();
  for (std::thread& thread : threads_) thread.join();
}

absl::Status DecodePool::Submit(std::vector<std::function<void()>> jobs) {
  {
    MutexLock lock(&mu_);
    if (jobs_.size() + jobs.size() > static_cast<size_t>(options_.max_queued)) {
      return absl::ResourceExhaustedError(absl::StrCat(jobs_.size(), " images wait to be decoded; with ", jobs.size(),
                                                       " more they would exceed the limit of ", options_.max_queued));
    }
    for (std::function<void()>& job : jobs) jobs_.push_back(std::move(job));
  }
  if (jobs.size() == 1) {
    job_waits_.NotifyOne();
  } else {
    job_waits_.NotifyAll();
  }
  return absl::OkStatus();
}

void DecodePool::RunThread() {
  while (true) {
    std::function<void()> job;
    {
      MutexLock lock(&mu_);
      while (jobs_.empty() && !stopping_) job_waits_.Wait(&mu_);
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job();
  }
}

}  // namespace digit
