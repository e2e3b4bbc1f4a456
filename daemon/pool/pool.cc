#include "daemon/pool/pool.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "base/threads.h"
#include "model/engine/reference_check.h"

namespace digit {
namespace {

absl::Status WarmUp(InferenceEngine& engine, int max_batch_size) {
  const std::vector<uint8_t> pixels(static_cast<size_t>(max_batch_size) * kImagePixels);
  std::vector<float> scores(static_cast<size_t>(max_batch_size) * engine.num_classes());
  for (int n = 1;; n = std::min(2 * n, max_batch_size)) {
    RETURN_IF_ERROR(engine.Infer(absl::MakeConstSpan(pixels).subspan(0, size_t{1} * n * kImagePixels),
                                 absl::MakeSpan(scores).subspan(0, size_t{1} * n * engine.num_classes())));
    if (n == max_batch_size) return absl::OkStatus();
  }
}

bool AllFinite(absl::Span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

}  // namespace

PlacedModel::~PlacedModel() {
  if (queue_ != nullptr) pool_->scheduler_.CloseQueue(queue_.get());
}

absl::Status PlacedModel::Submit(absl::Span<std::unique_ptr<Task>> tasks) {
  return pool_->scheduler_.Submit(queue_.get(), tasks);
}

const std::vector<std::string>& PlacedModel::executor_names() const { return pool_->executor_names(); }

absl::StatusOr<std::unique_ptr<Pool>> Pool::Create(Options options) {
  if (options.devices.empty()) return absl::InvalidArgumentError("pool: no devices");
  if (options.replicas < 1 || options.replicas > 1024) {
    return absl::InvalidArgumentError(absl::StrCat("replicas is ", options.replicas, ", must be in 1..1024"));
  }
  if (options.max_batch_size < 1 || options.max_batch_size > 1024) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_batch_size is ", options.max_batch_size, ", must be in 1..1024"));
  }
  return std::unique_ptr<Pool>(new Pool(std::move(options)));
}

Pool::Pool(Options options) : options_(std::move(options)), scheduler_(options_.clock) {
  for (const Device& device : options_.devices) {
    for (int replica = 0; replica < options_.replicas; ++replica) {
      executor_devices_.push_back(device);
      executor_names_.push_back(absl::StrCat(device.ToString(), ":", replica));
    }
  }
  for (size_t i = 0; i < executor_names_.size(); ++i) {
    executors_.push_back(
        StartThread(absl::StrCat("exec-", executor_names_[i]), [this, i] { RunExecutor(static_cast<int>(i)); }));
  }
}

Pool::~Pool() { Drain(); }

void Pool::Drain() {
  scheduler_.Shutdown();
  for (std::thread& executor : executors_) {
    if (executor.joinable()) executor.join();
  }
}

absl::StatusOr<std::shared_ptr<PlacedModel>> Pool::Place(const std::string& name, Model* model) {
  std::vector<std::unique_ptr<InferenceEngine>> engines;
  for (size_t i = 0; i < executor_devices_.size(); ++i) {
    const Device& device = executor_devices_[i];
    ASSIGN_OR_RETURN(std::unique_ptr<InferenceEngine> engine, options_.engines->Create(*model, device));
    if (engines.empty()) RETURN_IF_ERROR(FitSpec(engine->num_classes(), model));
    // The replicas of a device compute alike: one of them answers for all.
    if (i % options_.replicas == 0) RETURN_IF_ERROR(CheckReference(*engine, *model));
    RETURN_IF_ERROR(WarmUp(*engine, options_.max_batch_size));
    engines.push_back(std::move(engine));
  }
  std::shared_ptr<PlacedModel> placed(new PlacedModel(this, std::move(engines), options_.max_batch_size));
  placed->queue_ = scheduler_.AddQueue(
      {.name = name,
       .batching = {.max_batch_size = options_.max_batch_size, .max_queue_delay = options_.max_queue_delay},
       .max_queued_images = options_.max_queued_images},
      placed.get());
  return placed;
}

void Pool::RunExecutor(int index) {
  std::vector<uint8_t> pixels;
  std::vector<float> scores;
  BatchScheduler::Work work;
  while (scheduler_.TakeBatch(&work)) {
    auto* placed = static_cast<PlacedModel*>(BatchScheduler::OwnerOf(*work.queue));
    RunBatch(index, placed, std::move(work.batch), &pixels, &scores);
    work = {};
  }
}

// `placed` is alive while any task of the batch is: each holds on to it.
void Pool::RunBatch(int index, PlacedModel* placed, Batch batch, std::vector<uint8_t>* pixels,
                    std::vector<float>* scores) {
  InferenceEngine& engine = *placed->engines_[index];
  const size_t classes = engine.num_classes();
  pixels->resize(static_cast<size_t>(batch.num_images) * kImagePixels);
  scores->resize(batch.num_images * classes);
  BatchReport report{.started = options_.clock->Now(),
                     .batch_size = batch.num_images,
                     .reason = batch.reason,
                     .executor = executor_names_[index],
                     .engine = engine.name()};
  uint8_t* destination = pixels->data();
  for (const std::unique_ptr<Task>& task : batch.tasks) {
    static_cast<InferenceTask&>(*task).PackPixels(destination);
    destination += static_cast<size_t>(task->num_images()) * kImagePixels;
  }
  absl::Status status = engine.Infer(*pixels, absl::MakeSpan(*scores));
  if (status.ok() && !AllFinite(*scores)) status = absl::InternalError("the engine gave scores that are not finite");
  report.compute = options_.clock->Now() - report.started;
  if (!status.ok()) {
    LogError("batch failed", {{"executor", report.executor}, {"engine", report.engine}, {"error", status}});
  }
  absl::Span<const float> rest = *scores;
  for (const std::unique_ptr<Task>& task : batch.tasks) {
    const size_t size = task->num_images() * classes;
    if (status.ok()) {
      static_cast<InferenceTask&>(*task).Complete(rest.subspan(0, size), report);
    } else {
      task->Fail(status);
    }
    rest.remove_prefix(size);
  }
}

}  // namespace digit
