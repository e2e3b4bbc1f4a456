// Executors on devices, and the models placed on them.
//
// An executor is a thread that belongs to a device, not to a model; it holds one engine of every placed model and runs
// whatever batch the scheduler hands it. An engine that fails or answers what is not finite is taken out: its batch
// fails, other executors go on, and the engine is built anew with growing pauses. Threads: one per executor, named
// "exec-cpu:0", and "pool-repair"; joined by Drain(). Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/job_thread.h"
#include "daemon/batching/batch_scheduler.h"
#include "daemon/pool/inference_task.h"
#include "daemon/pool/placed_model.h"
#include "model/engine/inference_engine.h"
#include "model/engine/model.h"

namespace digit {

// OK when empty, or ascending from 1 or more and ending with `max_batch_size`; else INVALID_ARGUMENT: "is 1,8, must
// ...".
absl::Status CheckAllowedBatchSizes(const std::vector<int>& sizes, int max_batch_size);

class Pool {
 public:
  struct Options {
    std::vector<Device> devices = {Device{}};
    int replicas = 1;                      // executors of a CPU, >= 1; beside GPUs these only help (BatchScheduler)
    int gpu_replicas = 2;                  // of each GPU: one copies while the other computes
    int max_batch_size = 32;               // images, on a CPU
    int max_gpu_batch_size = 1024;         // images, on a GPU
    std::vector<int> allowed_batch_sizes;  // on a CPU smaller batches are padded with blanks; empty: any size
    absl::Duration max_queue_delay = absl::ZeroDuration();
    absl::Duration max_queue_wait = absl::InfiniteDuration();
    int max_queued_images = 4096;                     // per model version
    EngineFactory* engines = nullptr;                 // not owned; required
    std::function<void()> on_serving_change = [] {};  // a model's serving() changed; on any thread, must not block
    // An engine failed or answered what is not finite; on its executor's thread, must not block.
    std::function<void(const PlacedModel& placed, const absl::Status& why)> on_engine_failure =
        [](const PlacedModel&, const absl::Status&) {};
    const ModelMetricFamilies* metrics = nullptr;  // not owned; null: nothing is counted
    const Clock* clock = SteadyClock();
  };

  // INVALID_ARGUMENT names the option that is out of range.
  static absl::StatusOr<std::unique_ptr<Pool>> Create(Options options);
  // Runs what was accepted, then joins the executors. Every PlacedModel must be gone by then or not be used again.
  ~Pool();

  struct PlaceOptions {
    std::function<void()> on_check = [] {}, on_warm_up = [] {};  // what Place() begins to do
    // Whether an engine that passed its reference inputs may serve; asked once, with the first.
    std::function<absl::Status(InferenceEngine&)> accept = [](InferenceEngine&) { return absl::OkStatus(); };
    // Whether an engine of half precision that passed its reference inputs answers as one of single precision does.
    std::function<absl::Status(InferenceEngine& half, InferenceEngine& single)> accept_half =
        [](InferenceEngine&, InferenceEngine&) { return absl::OkStatus(); };
  };
  // Makes an engine for every executor, checks one of each device against the model's reference inputs and runs every
  // batch size that may come once, all on the calling thread: slow. On GPUs the digit network runs in half precision
  // where that passes the checks; else in single, and the log says why. `name`: "mnist/3", for messages; what stands
  // before the slash is what is counted under. Fits the model's spec to the engine (FitSpec), which is the last
  // change to it.
  absl::StatusOr<std::shared_ptr<PlacedModel>> Place(const std::string& name, std::shared_ptr<Model> model) {
    return Place(name, std::move(model), PlaceOptions());
  }
  absl::StatusOr<std::shared_ptr<PlacedModel>> Place(const std::string& name, std::shared_ptr<Model> model,
                                                     const PlaceOptions& place);

  // An engine of its own for the caller, on the first device.
  absl::StatusOr<std::unique_ptr<InferenceEngine>> MakeEngine(const Model& model) {
    return options_.engines->Create(model, options_.devices.front());
  }

  // Stops taking tasks, runs what waits, joins the executors. Idempotent.
  void Drain();

  const std::vector<std::string>& executor_names() const { return executor_names_; }
  int num_queued_images() const { return scheduler_.num_queued_images(); }
  // How long each executor has been at batches that are done, by executor.
  std::vector<absl::Duration> busy_times() const { return scheduler_.busy_times(); }

 private:
  friend class PlacedModel;
  explicit Pool(Options options);
  bool IsGpu(int executor) const { return executor_devices_[executor].kind == Device::Kind::kCuda; }
  int MaxBatchSize(int executor) const;
  // For the executor, checked.
  absl::StatusOr<std::unique_ptr<InferenceEngine>> MakeChecked(int executor, Model* model, const PlaceOptions& place);
  void RunExecutor(int index);
  void RunBatch(int index, PlacedModel* placed, Batch* batch, std::vector<uint8_t>* pixels, std::vector<float>* scores);
  absl::Status Infer(InferenceEngine& engine, absl::Span<const uint8_t> pixels, std::vector<float>* scores);
  int PaddedSize(int executor, int num_images) const;
  absl::Status WarmUp(int executor, InferenceEngine& engine, CostModel* cost);  // adds what it took to `cost`
  void TakeOut(int executor, PlacedModel* placed, const absl::Status& why);
  void RepairLater(int executor, PlacedModel* placed, int attempt);
  void Repair(int executor, PlacedModel* placed, int attempt);
  absl::StatusOr<std::unique_ptr<InferenceEngine>> Rebuild(int executor, const Model& model, Precision precision);

  const Options options_;
  std::vector<Device> executor_devices_;     // by executor
  std::vector<std::string> device_names_;    // by executor: "cpu", "cuda:1"
  std::vector<std::string> executor_names_;  // by executor: "cpu:0", "cuda:1:0"
  BatchScheduler scheduler_;
  JobThread repair_;
  std::vector<std::thread> executors_;
};

}  // namespace digit
