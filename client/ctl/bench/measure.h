// Measures one point: warm-up, windows, the end.
#pragma once

#include <atomic>
#include <functional>

#include "absl/status/statusor.h"
#include "client/ctl/bench/answer_check.h"
#include "client/ctl/bench/load.h"
#include "client/ctl/bench/messages.h"
#include "client/ctl/bench/process_cpu.h"
#include "client/ctl/bench/result.h"

namespace digit {

struct MeasureOptions {
  LoadOptions load;
  std::optional<ListeningProcess> server;          // whose CPU time to read
  const std::atomic<bool>* interrupted = nullptr;  // not owned; true: end soon
  std::function<void(const Window&)> on_window;    // after each window, on the caller's thread
};

// Runs the load: `warmup` uncounted, then windows until the last three are stable, `duration` has passed, a whole
// window went by without one answer, or `interrupted`. Every window after the warm-up is in the result; none is thrown
// away. Then waits for the answers to what was sent (they count as requests, not as throughput), at most for the
// timeout, or for a second when interrupted. Blocks. UNAVAILABLE: no connection.
absl::StatusOr<BenchPoint> Measure(const MeasureOptions& options, const MessageSet& messages, const AnswerCheck& check);

}  // namespace digit
