#include "daemon/app/stream_drain.h"

#include <algorithm>
#include <utility>

#include "base/threads.h"

namespace digit {

StreamDrain::StreamDrain(Options options)
    : options_(std::move(options)),
      idle_for_(std::clamp(options_.timeout / 8, absl::Milliseconds(1), kIdleFor)),
      stop_reading_at_(options_.clock->Now() + options_.timeout * 3 / 4),
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
  bool reading = true;
  while (true) {
    SteadyTime now = options_.clock->Now();
    if (reading && now >= stop_reading_at_) {
      reading = false;
      options_.stop_reading();
    }
    options_.end_idle(idle_for_);
    SteadyTime next = now + idle_for_ / 4;
    if (reading) next = std::min(next, stop_reading_at_);
    MutexLock lock(&mu_);
    while (!stop_ && options_.clock->Now() < next) options_.clock->WaitUntil(&changed_, &mu_, next);
    if (stop_) return;
  }
}

}  // namespace digit
