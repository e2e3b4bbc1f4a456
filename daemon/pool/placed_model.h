// A model with an engine on every executor of a pool, and a queue of its own.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/telemetry/counter.h"
#include "daemon/batching/batch_scheduler.h"
#include "daemon/pool/model_metrics.h"
#include "model/engine/inference_engine.h"
#include "model/engine/model.h"

namespace digit {

class Pool;

// The pause before the attempt to rebuild an engine after `failures` failures in a row (>= 1): 100 ms, 200 ms, ... 60
// s. Guess.
absl::Duration RepairPause(int failures);

// What became of one executor's engine.
struct EngineState {
  std::string executor;  // "cpu:0"
  bool working = true;
  int64_t failures = 0;  // how often it was taken out
  std::string last_error;
};

// Made by Pool::Place; destroying it closes the queue, so whoever submits to it keeps it alive until the answer.
// Thread-safe.
class PlacedModel : public std::enable_shared_from_this<PlacedModel> {
 public:
  ~PlacedModel();

  // Never blocks; all or nothing, as BatchScheduler::Submit. Tasks must be InferenceTasks of 1..max_batch_size images.
  absl::Status Submit(absl::Span<std::unique_ptr<Task>> tasks);

  // Whether Submit() would let a request like this in now.
  absl::Status CheckAdmission(TaskClass task_class, int num_images, SteadyTime deadline) const;

  // Whether any image, of any model, waits for an executor.
  bool anything_waits() const;

  int num_queued_images() const;                            // of this version
  int64_t num_batches() const { return batches_.value(); }  // that ran since it was placed

  // Whether at least one engine works.
  bool serving() const { return num_working_.load(std::memory_order_relaxed) > 0; }
  std::vector<EngineState> engine_states() const ABSL_LOCKS_EXCLUDED(mu_);

  int max_batch_size() const { return max_batch_size_; }
  int num_classes() const { return num_classes_; }
  absl::string_view engine_name() const { return engine_name_; }
  const std::vector<std::string>& executor_names() const;
  const ModelMetrics& metrics() const { return metrics_; }

 private:
  friend class Pool;
  // Counts a failure and says how many there have been in a row: a minute of work forgives those before.
  int CountFailure(int executor, SteadyTime now) ABSL_LOCKS_EXCLUDED(mu_);
  // Both return whether that changed serving(). An engine is repaired unless it has failed since there were `failures`:
  // it is in use before this is called.
  bool SetFailed(int executor, absl::string_view error) ABSL_LOCKS_EXCLUDED(mu_);
  bool SetRepaired(int executor, int64_t failures) ABSL_LOCKS_EXCLUDED(mu_);
  bool CountWorking() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);  // states_ has changed: what those two return

  PlacedModel(Pool* pool, std::shared_ptr<const Model> model, std::vector<std::unique_ptr<InferenceEngine>> engines,
              int max_batch_size, const ModelMetrics& metrics);

  Pool* const pool_;  // outlives this
  const std::shared_ptr<const Model> model_;
  const int max_batch_size_;
  const int num_classes_;
  const std::string engine_name_;
  const ModelMetrics metrics_;
  // By executor. [i] is used by executor i while it is usable there, by the repair thread while it is not.
  std::vector<std::unique_ptr<InferenceEngine>> engines_;
  std::shared_ptr<BatchScheduler::Queue> queue_;
  std::atomic<int> num_working_;
  Counter batches_;

  mutable Mutex mu_;
  struct Failures {
    int in_a_row = 0;
    SteadyTime last;
  };
  std::vector<EngineState> states_ ABSL_GUARDED_BY(mu_);  // by executor
  std::vector<Failures> failures_ ABSL_GUARDED_BY(mu_);   // by executor
};

}  // namespace digit
