// Ends the streams of a server that drains, so that the drain waits for work only.
//
// From construction on, streams on which nothing moves are ended. At three quarters of the drain's time the server
// stops reading the busy ones, and so they come to rest as well: the last quarter is for their answers. Threads: one,
// "drain", joined by the destructor.
#pragma once

#include <functional>
#include <thread>

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"

namespace digit {

class StreamDrain {
 public:
  struct Options {
    absl::Duration timeout;                        // of the whole drain
    std::function<void(absl::Duration)> end_idle;  // the streams on which nothing has moved for this long
    std::function<void()> stop_reading;            // runs once
    const Clock* clock = SteadyClock();            // not owned
  };
  explicit StreamDrain(Options options);
  ~StreamDrain();

  // Long enough for a busy client's next message to arrive, short enough for no operator to notice; an eighth of the
  // time where that is less.
  static constexpr absl::Duration kIdleFor = absl::Milliseconds(500);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mu_);

  const Options options_;
  const absl::Duration idle_for_;
  const SteadyTime stop_reading_at_;
  Mutex mu_;
  CondVar changed_;
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace digit
