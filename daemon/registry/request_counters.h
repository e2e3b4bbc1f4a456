// What became of the requests of one version, and where their time went: counted while it answers, read by whoever
// wants statistics. A few relaxed atomic additions a request, in cells that threads share out. Thread-safe.
#pragma once

#include <atomic>

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/telemetry/counter.h"

namespace digit {

class RequestCounters {
 public:
  // Requests, and their times added up.
  struct Sum {
    int64_t count = 0;
    absl::Duration time;
  };
  struct Snapshot {
    Sum answered, failed;  // from entry to the end
    Sum queued, computed;  // of those answered that reached an engine: their slowest batch
    SteadyTime last;       // when one ended; meaningless when none has
  };

  // A request that was answered without an engine has neither queue nor compute time.
  void AddAnswered(absl::Duration took, SteadyTime now) { Add(&answered_, took, now); }
  void AddComputed(absl::Duration queue, absl::Duration compute) {
    computed_.Add(compute);
    queued_.Add(queue);
  }
  void AddFailed(absl::Duration took, SteadyTime now) { Add(&failed_, took, now); }

  Snapshot Read() const {
    return {.answered = answered_.Read(),
            .failed = failed_.Read(),
            .queued = queued_.Read(),
            .computed = computed_.Read(),
            .last = SteadyTime(absl::Nanoseconds(last_.load(std::memory_order_relaxed)))};
  }

 private:
  struct Cells {
    Counter requests, nanos;
    void Add(absl::Duration time) {
      requests.Add();
      nanos.Add(absl::ToInt64Nanoseconds(time));
    }
    Sum Read() const { return {.count = requests.value(), .time = absl::Nanoseconds(nanos.value())}; }
  };
  void Add(Cells* cells, absl::Duration took, SteadyTime now) {
    cells->Add(took);
    last_.store(absl::ToInt64Nanoseconds(now.since_zero()), std::memory_order_relaxed);
  }

  Cells answered_, failed_, queued_, computed_;
  std::atomic<int64_t> last_{0};
};

}  // namespace digit
