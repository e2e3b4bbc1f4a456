#include "daemon/batching/batch_former.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace digit {

BatchFormer::BatchFormer(const Options& options) : options_(options) { DIGIT_CHECK(options.max_batch_size >= 1); }

void BatchFormer::Add(std::unique_ptr<Task> task, SteadyTime now) {
  DIGIT_CHECK(task->num_images() >= 1 && task->num_images() <= options_.max_batch_size);
  task->set_entered(now);
  num_images_ += task->num_images();
  waiting_.push_back(std::move(task));
}

SteadyTime BatchFormer::NextDue() const {
  if (waiting_.empty()) return SteadyTime::InfiniteFuture();
  const SteadyTime entered = waiting_.front()->entered();
  return num_images_ >= options_.max_batch_size ? entered : entered + options_.max_queue_delay;
}

std::unique_ptr<Task> BatchFormer::PopFront() {
  std::unique_ptr<Task> task = std::move(waiting_.front());
  waiting_.pop_front();
  num_images_ -= task->num_images();
  return task;
}

Batch BatchFormer::TakeReady(SteadyTime now, int max_images) {
  Batch batch;
  const int limit = std::min(max_images, options_.max_batch_size);
  // A dead task can make a batch look due that no longer is; asking again for each task keeps the promise of the delay.
  while (batch.num_images > 0 || NextDue() <= now) {
    if (waiting_.empty()) break;
    const Task& next = *waiting_.front();
    if (next.cancelled() || next.deadline() <= now) {
      batch.dead.push_back(PopFront());
      continue;
    }
    if (batch.num_images + next.num_images() > limit) {
      batch.reason = CutReason::kFull;
      break;
    }
    batch.num_images += next.num_images();
    batch.tasks.push_back(PopFront());
  }
  if (batch.tasks.empty()) {
    batch.reason = CutReason::kNone;
  } else if (batch.num_images == limit) {
    batch.reason = CutReason::kFull;
  } else if (batch.reason == CutReason::kNone) {
    batch.reason = options_.max_queue_delay > absl::ZeroDuration() ? CutReason::kDelay : CutReason::kIdleExecutor;
  }
  return batch;
}

std::vector<std::unique_ptr<Task>> BatchFormer::TakeAll() {
  std::vector<std::unique_ptr<Task>> all;
  while (!waiting_.empty()) all.push_back(PopFront());
  return all;
}

}  // namespace digit
