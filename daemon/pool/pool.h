// Executors on devices, and the models placed on them.
//
// An executor is a thread that belongs to a device, not to a model; it holds one engine of every placed model and runs
// whatever batch the scheduler hands it. Threads: one per executor, named "exec-cpu0", joined by the destructor.
// Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "daemon/batching/batch_scheduler.h"
#include "daemon/pool/inference_task.h"
#include "model/engine/inference_engine.h"
#include "model/engine/model.h"

namespace digit {

class Pool;

// A model with an engine on every executor and a queue of its own. Made by Pool::Place; destroying it closes the queue,
// so whoever submits to it keeps it alive until the answer.
class PlacedModel {
 public:
  ~PlacedModel();

  // Never blocks; all or nothing, as BatchScheduler::Submit. Tasks must be InferenceTasks of 1..max_batch_size images.
  absl::Status Submit(absl::Span<std::unique_ptr<Task>> tasks);

  int max_batch_size() const { return max_batch_size_; }
  int num_classes() const { return engines_.front()->num_classes(); }
  absl::string_view engine_name() const { return engines_.front()->name(); }
  const std::vector<std::string>& executor_names() const;

 private:
  friend class Pool;
  PlacedModel(Pool* pool, std::vector<std::unique_ptr<InferenceEngine>> engines, int max_batch_size)
      : pool_(pool), engines_(std::move(engines)), max_batch_size_(max_batch_size) {}

  Pool* const pool_;                                             // outlives this
  const std::vector<std::unique_ptr<InferenceEngine>> engines_;  // by executor; [i] is used by executor i only
  const int max_batch_size_;
  std::shared_ptr<BatchScheduler::Queue> queue_;
};

class Pool {
 public:
  struct Options {
    std::vector<Device> devices = {Device{}};
    int replicas = 1;         // executors per device, >= 1
    int max_batch_size = 32;  // images
    absl::Duration max_queue_delay = absl::ZeroDuration();
    int max_queued_images = 4096;      // per model version
    EngineFactory* engines = nullptr;  // not owned; required
    const Clock* clock = SteadyClock();
  };

  // INVALID_ARGUMENT names the option that is out of range.
  static absl::StatusOr<std::unique_ptr<Pool>> Create(Options options);
  // Runs what was accepted, then joins the executors. Every PlacedModel must be gone by then or not be used again.
  ~Pool();

  // Makes an engine for every executor, checks one of each device against the model's reference inputs and runs every
  // power-of-two batch size once, all on the calling thread: slow. `name` is for messages. Fits the model's spec to the
  // engine (FitSpec), which is the last change to it.
  absl::StatusOr<std::shared_ptr<PlacedModel>> Place(const std::string& name, Model* model);

  // Stops taking tasks, runs what waits, joins the executors. Idempotent.
  void Drain();

  const std::vector<std::string>& executor_names() const { return executor_names_; }
  int num_queued_images() const { return scheduler_.num_queued_images(); }

 private:
  friend class PlacedModel;
  explicit Pool(Options options);
  void RunExecutor(int index);
  void RunBatch(int index, PlacedModel* placed, Batch batch, std::vector<uint8_t>* pixels, std::vector<float>* scores);

  const Options options_;
  std::vector<Device> executor_devices_;     // by executor
  std::vector<std::string> executor_names_;  // by executor: "cpu:0", "cuda:1:0"
  BatchScheduler scheduler_;
  std::vector<std::thread> executors_;
};

}  // namespace digit
