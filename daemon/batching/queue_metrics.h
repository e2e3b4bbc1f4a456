// What is counted of a queue of tasks.
#pragma once

#include <array>

#include "absl/strings/string_view.h"
#include "base/telemetry/counter.h"
#include "base/telemetry/histogram.h"

namespace digit {

// Why images never ran.
enum class Refusal {
  kQueueFull,
  kWait,        // predicted to wait longer than promised
  kDeadline,    // predicted to miss their deadline
  kOverdue,     // let in, but waited longer than promised
  kExpired,     // their deadline passed before or while they waited
  kCancelled,   // the caller went away
  kNoExecutor,  // all engines have failed
  kStopping,    // the queue, or the server, takes nothing any more
};
inline constexpr int kNumRefusals = 8;

constexpr absl::string_view NameOf(Refusal refusal) {
  constexpr std::array<absl::string_view, kNumRefusals> kNames = {"queue_full", "wait",      "deadline",    "overdue",
                                                                  "expired",    "cancelled", "no_executor", "stopping"};
  return kNames[static_cast<size_t>(refusal)];
}

// Not owned; null: not counted.
struct QueueMetrics {
  Histogram* wait = nullptr;                        // seconds from entry to the cut of the batch, of each task
  std::array<Counter*, kNumRefusals> refused = {};  // images, by Refusal

  void CountRefused(Refusal refusal, int images) const {
    Counter* const counter = refused[static_cast<size_t>(refusal)];
    if (counter != nullptr) counter->Add(images);
  }
};

}  // namespace digit
