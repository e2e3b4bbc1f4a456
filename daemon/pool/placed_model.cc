#include "daemon/pool/placed_model.h"

#include <algorithm>
#include <utility>

#include "daemon/pool/pool.h"

namespace digit {

absl::Duration RepairPause(int failures) {
  constexpr int kDoublings = 9;
  return std::min(absl::Milliseconds(100) * (1 << std::min(failures - 1, kDoublings + 1)), absl::Seconds(60));
}

PlacedModel::PlacedModel(Pool* pool, std::shared_ptr<const Model> model,
                         std::vector<std::unique_ptr<InferenceEngine>> engines, int max_batch_size,
                         const ModelMetrics& metrics)
    : pool_(pool),
      model_(std::move(model)),
      max_batch_size_(max_batch_size),
      num_classes_(engines.front()->num_classes()),
      engine_name_(engines.front()->name()),
      metrics_(metrics),
      engines_(std::move(engines)),
      num_working_(static_cast<int>(engines_.size())),
      failures_(engines_.size()) {
  for (const std::string& executor : pool->executor_names()) states_.push_back({.executor = executor});
}

PlacedModel::~PlacedModel() {
  if (queue_ != nullptr) pool_->scheduler_.CloseQueue(queue_.get());
}

absl::Status PlacedModel::Submit(absl::Span<std::unique_ptr<Task>> tasks) {
  return pool_->scheduler_.Submit(queue_.get(), tasks);
}

absl::Status PlacedModel::CheckAdmission(TaskClass task_class, int num_images, SteadyTime deadline) const {
  return pool_->scheduler_.CheckAdmission(*queue_, task_class, num_images, deadline);
}

bool PlacedModel::anything_waits() const { return pool_->num_queued_images() > 0; }

int PlacedModel::num_queued_images() const { return pool_->scheduler_.num_queued_images(*queue_); }

std::vector<EngineState> PlacedModel::engine_states() const {
  MutexLock lock(&mu_);
  return states_;
}

int PlacedModel::CountFailure(int executor, SteadyTime now) {
  constexpr absl::Duration kForgiven = absl::Minutes(1);  // the longest pause before a rebuild
  MutexLock lock(&mu_);
  Failures& failures = failures_[executor];
  if (now - failures.last > RepairPause(std::max(1, failures.in_a_row)) + kForgiven) failures.in_a_row = 0;
  failures.last = now;
  return ++failures.in_a_row;
}

bool PlacedModel::SetFailed(int executor, absl::string_view error) {
  MutexLock lock(&mu_);
  EngineState& state = states_[executor];
  state.working = false;
  ++state.failures;
  state.last_error = std::string(error);
  return CountWorking();
}

bool PlacedModel::SetRepaired(int executor, int64_t failures) {
  MutexLock lock(&mu_);
  EngineState& state = states_[executor];
  if (state.failures == failures) state.working = true;
  return CountWorking();
}

bool PlacedModel::CountWorking() {
  const auto now = std::count_if(states_.begin(), states_.end(), [](const EngineState& s) { return s.working; });
  const int before = num_working_.exchange(static_cast<int>(now), std::memory_order_relaxed);
  return (before > 0) != (now > 0);
}

const std::vector<std::string>& PlacedModel::executor_names() const { return pool_->executor_names(); }

}  // namespace digit
