// A task that an executor can run: images in, scores out.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "daemon/batching/task.h"

namespace digit {

// What happened to the batch a task was in; for the answer's timing.
struct BatchReport {
  SteadyTime started;      // when the batch was cut
  absl::Duration compute;  // in the engine
  int batch_size = 0;      // images
  CutReason reason = CutReason::kNone;
  absl::string_view executor;  // "cpu:0"; lives as long as the pool
  absl::string_view device;    // "cpu"; as long
  absl::string_view engine;    // "cpu"; lives as long as the pool's model
};

class InferenceTask : public Task {
 public:
  using Task::Task;
  // Writes num_images() * kImagePixels bytes: the one copy between the request and the engine.
  virtual void PackPixels(uint8_t* destination) const = 0;
  // One row of scores per image. On the executor's thread; must be quick and not block.
  virtual void Complete(absl::Span<const float> scores, const BatchReport& report) = 0;
};

}  // namespace digit
