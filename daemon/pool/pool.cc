#include "daemon/pool/pool.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/log.h"
#include "base/status.h"
#include "base/threads.h"
#include "model/engine/reference_check.h"

namespace digit {
namespace {

constexpr int kMaxBatchSize = 1024;

bool AllFinite(absl::Span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

int ReplicasOn(const Device& device, const Pool::Options& options) {
  return device.kind == Device::Kind::kCuda ? options.gpu_replicas : options.replicas;
}

// Beside GPUs the CPUs' executors only help.
std::vector<BatchScheduler::Executor> ExecutorsOf(const Pool::Options& options) {
  const bool any_gpu = std::any_of(options.devices.begin(), options.devices.end(),
                                   [](const Device& device) { return device.kind == Device::Kind::kCuda; });
  std::vector<BatchScheduler::Executor> executors;
  for (const Device& device : options.devices) {
    const bool is_gpu = device.kind == Device::Kind::kCuda;
    executors.resize(executors.size() + ReplicasOn(device, options),
                     {.helps = any_gpu && !is_gpu, .max_images = options.max_batch_size});
  }
  return executors;
}

// The caller may have gone while the batch was on its way to the executor.
absl::Status WhyNotToRun(const Task& task, SteadyTime now) {
  if (task.cancelled()) return absl::CancelledError("the caller cancelled the request");
  if (task.deadline() <= now) return absl::DeadlineExceededError("the deadline passed just before the request ran");
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckAllowedBatchSizes(const std::vector<int>& sizes, int max_batch_size) {
  const bool ascending = std::adjacent_find(sizes.begin(), sizes.end(), std::greater_equal<>()) == sizes.end();
  if (sizes.empty() || (ascending && sizes.front() >= 1 && sizes.back() == max_batch_size)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("is ", absl::StrJoin(sizes, ","), ", must ascend and end with max_batch_size, ", max_batch_size));
}

absl::StatusOr<std::unique_ptr<Pool>> Pool::Create(Options options) {
  if (options.devices.empty()) return absl::InvalidArgumentError("pool: no devices");
  if (options.replicas < 1 || options.replicas > 1024) {
    return absl::InvalidArgumentError(absl::StrCat("replicas is ", options.replicas, ", must be in 1..1024"));
  }
  if (options.gpu_replicas < 1 || options.gpu_replicas > 1024) {
    return absl::InvalidArgumentError(absl::StrCat("gpu_replicas is ", options.gpu_replicas, ", must be in 1..1024"));
  }
  for (const int size : {options.max_batch_size, options.max_gpu_batch_size}) {
    if (size >= 1 && size <= kMaxBatchSize) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("a maximal batch size is ", size, ", must be in 1..", kMaxBatchSize));
  }
  const absl::Status sizes = CheckAllowedBatchSizes(options.allowed_batch_sizes, options.max_batch_size);
  if (!sizes.ok()) return absl::InvalidArgumentError(absl::StrCat("allowed_batch_sizes ", sizes.message()));
  return std::unique_ptr<Pool>(new Pool(std::move(options)));
}

Pool::Pool(Options options)
    : options_(std::move(options)),
      scheduler_(options_.clock, ExecutorsOf(options_)),
      repair_("pool-repair", options_.clock) {
  for (const Device& device : options_.devices) {
    for (int replica = 0; replica < ReplicasOn(device, options_); ++replica) {
      executor_devices_.push_back(device);
      device_names_.push_back(device.ToString());
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
  repair_.Stop();
  scheduler_.Shutdown();
  for (std::thread& executor : executors_) {
    if (executor.joinable()) executor.join();
  }
}

absl::StatusOr<std::shared_ptr<PlacedModel>> Pool::Place(const std::string& name, std::shared_ptr<Model> model,
                                                         const PlaceOptions& place) {
  std::vector<std::unique_ptr<InferenceEngine>> engines;
  std::vector<CostModel> costs;
  int max_batch_size = 0;
  for (int i = 0; i < static_cast<int>(executor_devices_.size()); ++i) {
    // The replicas of a device compute alike: the first of them answers for all.
    const bool is_first = i == 0 || device_names_[i] != device_names_[i - 1];
    std::unique_ptr<InferenceEngine> engine;
    if (is_first) {
      ASSIGN_OR_RETURN(engine, MakeChecked(i, model.get(), place));
    } else {
      ASSIGN_OR_RETURN(engine, options_.engines->Create(*model, executor_devices_[i], engines.back()->precision()));
    }
    if (i == 0) {
      RETURN_IF_ERROR(place.accept(*engine));
      place.on_warm_up();
    }
    costs.push_back(is_first ? CostModel() : costs.back());
    RETURN_IF_ERROR(WarmUp(i, *engine, &costs.back()));
    max_batch_size = std::max(max_batch_size, MaxBatchSize(i));
    engines.push_back(std::move(engine));
  }
  const ModelMetrics metrics =
      options_.metrics == nullptr ? ModelMetrics() : options_.metrics->Of(name.substr(0, name.find('/')));
  std::shared_ptr<PlacedModel> placed(
      new PlacedModel(this, std::move(model), std::move(engines), max_batch_size, metrics));
  placed->queue_ = scheduler_.AddQueue({.name = absl::StrCat("model ", name),
                                        .batching = {.max_batch_size = max_batch_size,
                                                     .max_queue_delay = options_.max_queue_delay,
                                                     .max_queue_wait = options_.max_queue_wait},
                                        .costs = std::move(costs),
                                        .max_queued_images = options_.max_queued_images,
                                        .metrics = metrics.queue},
                                       placed.get());
  return placed;
}

// In single precision where half is not to be had or fails a check.
absl::StatusOr<std::unique_ptr<InferenceEngine>> Pool::MakeChecked(int executor, Model* model,
                                                                   const PlaceOptions& place) {
  const Device& device = executor_devices_[executor];
  const bool may_be_half = IsGpu(executor) && model->is_digit_cnn;
  ASSIGN_OR_RETURN(std::unique_ptr<InferenceEngine> engine,
                   options_.engines->Create(*model, device, may_be_half ? Precision::kHalf : Precision::kSingle));
  if (executor == 0) {
    RETURN_IF_ERROR(FitSpec(engine->num_classes(), model));
    place.on_check();
  }
  absl::Status status = CheckReference(*engine, *model);
  if (engine->precision() == Precision::kSingle) {
    RETURN_IF_ERROR(status);
    return engine;
  }
  ASSIGN_OR_RETURN(std::unique_ptr<InferenceEngine> single,
                   options_.engines->Create(*model, device, Precision::kSingle));
  if (status.ok()) status = place.accept_half(*engine, *single);
  if (status.ok()) return engine;
  LogWarn("runs in single precision", {{"model", model->path}, {"device", device.ToString()}, {"why", status}});
  RETURN_IF_ERROR(CheckReference(*single, *model));
  return single;
}

int Pool::MaxBatchSize(int executor) const {
  return IsGpu(executor) ? options_.max_gpu_batch_size : options_.max_batch_size;
}

absl::Status Pool::WarmUp(int executor, InferenceEngine& engine, CostModel* cost) {
  const int max_batch_size = MaxBatchSize(executor);
  std::vector<int> sizes;
  if (!IsGpu(executor)) sizes = options_.allowed_batch_sizes;
  if (sizes.empty()) {
    const int all = IsGpu(executor) ? 1 : 64;  // beyond it powers of two will do: all would take seconds
    for (int n = 1; n < max_batch_size; n = n < all ? n + 1 : n * 2) sizes.push_back(n);
    sizes.push_back(max_batch_size);
  }
  std::vector<float> scores;
  // Not blank: those cost our engine less.
  const std::vector<uint8_t> grey(static_cast<size_t>(max_batch_size) * kImagePixels, 128);
  const auto infer = [&](int n) {
    return Infer(engine, absl::MakeConstSpan(grey).subspan(0, size_t{kImagePixels} * PaddedSize(executor, n)), &scores);
  };
  for (int n : sizes) RETURN_IF_ERROR(infer(n));  // here an engine allocates and compiles
  for (int n = 1; n <= max_batch_size; n *= 4) {
    const SteadyTime start = options_.clock->Now();
    RETURN_IF_ERROR(infer(n));
    cost->Observe(n, options_.clock->Now() - start);
  }
  return absl::OkStatus();
}

int Pool::PaddedSize(int executor, int num_images) const {
  if (IsGpu(executor)) return num_images;
  const std::vector<int>& sizes = options_.allowed_batch_sizes;
  const auto found = std::lower_bound(sizes.begin(), sizes.end(), num_images);
  return found == sizes.end() ? num_images : *found;
}

// Pixels of a whole batch, padded; `scores` gets one row for each.
absl::Status Pool::Infer(InferenceEngine& engine, absl::Span<const uint8_t> pixels, std::vector<float>* scores) {
  scores->resize(pixels.size() / kImagePixels * engine.num_classes());
  RETURN_IF_ERROR(engine.Infer(pixels, absl::MakeSpan(*scores)));
  if (!AllFinite(*scores)) return absl::InternalError("the engine gave scores that are not finite");
  return absl::OkStatus();
}

void Pool::RunExecutor(int index) {
  std::vector<uint8_t> pixels;
  std::vector<float> scores;
  BatchScheduler::Work work;
  while (scheduler_.TakeBatch(index, &work)) {
    auto* placed = static_cast<PlacedModel*>(BatchScheduler::OwnerOf(*work.queue));
    RunBatch(index, placed, &work.batch, &pixels, &scores);
    work = {};
  }
}

// `placed` is alive while any task of the batch is: each holds on to it.
void Pool::RunBatch(int index, PlacedModel* placed, Batch* batch, std::vector<uint8_t>* pixels,
                    std::vector<float>* scores) {
  InferenceEngine& engine = *placed->engines_[index];
  const size_t classes = engine.num_classes();
  BatchReport report{.started = options_.clock->Now(),
                     .reason = batch->reason,
                     .executor = executor_names_[index],
                     .device = device_names_[index],
                     .engine = placed->engine_name()};
  // The one copy between the requests and the engine: into its own memory, if it has some.
  const size_t most = static_cast<size_t>(PaddedSize(index, batch->num_images)) * kImagePixels;
  uint8_t* const first = [&] {
    if (uint8_t* const buffer = engine.InputBuffer(batch->num_images)) return buffer;
    pixels->resize(std::max(pixels->size(), most));
    return pixels->data();
  }();
  uint8_t* destination = first;
  for (std::unique_ptr<Task>& task : batch->tasks) {
    const absl::Status why_not = WhyNotToRun(*task, report.started);
    if (!why_not.ok()) {
      placed->metrics().queue.CountRefused(absl::IsCancelled(why_not) ? Refusal::kCancelled : Refusal::kExpired,
                                           task->num_images());
      task->Fail(why_not);
      task = nullptr;
      continue;
    }
    static_cast<InferenceTask&>(*task).PackPixels(destination);
    destination += static_cast<size_t>(task->num_images()) * kImagePixels;
    report.batch_size += task->num_images();
  }
  if (report.batch_size == 0) return;
  uint8_t* const end = first + static_cast<size_t>(PaddedSize(index, report.batch_size)) * kImagePixels;
  std::fill(destination, end, uint8_t{0});
  const absl::Status status = Infer(engine, absl::MakeConstSpan(first, end), scores);
  report.compute = options_.clock->Now() - report.started;
  placed->batches_.Add();
  placed->metrics().CountBatch(report.batch_size, report.reason, report.compute);
  if (!status.ok()) TakeOut(index, placed, status);
  absl::Span<const float> rest = *scores;
  for (const std::unique_ptr<Task>& task : batch->tasks) {
    if (task == nullptr) continue;
    const size_t size = task->num_images() * classes;
    if (status.ok()) {
      static_cast<InferenceTask&>(*task).Complete(rest.subspan(0, size), report);
    } else {
      task->Fail(status);
    }
    rest.remove_prefix(size);
  }
}

void Pool::TakeOut(int executor, PlacedModel* placed, const absl::Status& why) {
  LogError("engine taken out", {{"executor", executor_names_[executor]},
                                {"engine", placed->engine_name()},
                                {"model", placed->model_->path},
                                {"error", why}});
  scheduler_.SetUsable(placed->queue_.get(), executor, false);
  if (placed->SetFailed(executor, why.message())) options_.on_serving_change();
  options_.on_engine_failure(*placed, why);
  RepairLater(executor, placed, placed->CountFailure(executor, options_.clock->Now()));
}

void Pool::RepairLater(int executor, PlacedModel* placed, int attempt) {
  repair_.At(options_.clock->Now() + RepairPause(attempt), [this, executor, attempt, weak = placed->weak_from_this()] {
    const std::shared_ptr<PlacedModel> still_there = weak.lock();
    if (still_there != nullptr) Repair(executor, still_there.get(), attempt);
  });
}

void Pool::Repair(int executor, PlacedModel* placed, int attempt) {
  absl::StatusOr<std::unique_ptr<InferenceEngine>> engine =
      Rebuild(executor, *placed->model_, placed->engines_[executor]->precision());
  if (!engine.ok()) {
    LogError("engine could not be rebuilt",
             {{"executor", executor_names_[executor]}, {"model", placed->model_->path}, {"error", engine.status()}});
    return RepairLater(executor, placed, attempt + 1);
  }
  placed->engines_[executor] = *std::move(engine);
  LogInfo("engine rebuilt", {{"executor", executor_names_[executor]}, {"model", placed->model_->path}});
  const int64_t failures = placed->engine_states()[executor].failures;
  scheduler_.SetUsable(placed->queue_.get(), executor, true);  // from here on it may fail again
  if (placed->SetRepaired(executor, failures)) options_.on_serving_change();
}

absl::StatusOr<std::unique_ptr<InferenceEngine>> Pool::Rebuild(int executor, const Model& model, Precision precision) {
  ASSIGN_OR_RETURN(std::unique_ptr<InferenceEngine> engine,
                   options_.engines->Create(model, executor_devices_[executor], precision));
  RETURN_IF_ERROR(CheckReference(*engine, model));
  CostModel unused;
  RETURN_IF_ERROR(WarmUp(executor, *engine, &unused));
  return engine;
}

}  // namespace digit
