#include "daemon/app/stream_drain.h"

#include <algorithm>
#include <utility>

#include "base/threads.h"

namespace digit {

StreamDrain::StreamDrain(Options options)
    : options_(std::move(options)),
      end_all_at_(options_.clock->Now() + options_.timeout * 3 / 4),
      thread_(StartThread("drain", [this] { Run(); })) {}

StreamDrain::~StreamDrain() {
  {
    MutexLock lock(&mu_);
    stop_ = true;
  }
  changed_.NotifyAll();
  thread_.join();
}

void StreamDrain::Run() {
  bool ended_all = false;
  while (true) {
    SteadyTime now = options_.clock->Now();
    if (!ended_all && now >= end_all_at_) {
      ended_all = true;
      options_.end_all();
    }
    options_.end_idle(kIdleFor);
    SteadyTime next = now + kIdleFor / 4;
    if (!ended_all) next = std::min(next, end_all_at_);
    MutexLock lock(&mu_);
    while (!stop_ && options_.clock->Now() < next) options_.clock->WaitUntil(&changed_, &mu_, next);
    if (stop_) return;
  }
}

}  // namespace digit
