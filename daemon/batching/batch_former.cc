#include "daemon/batching/batch_former.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace digit {
namespace {

// Small turns keep a lonely task near the front; four to a batch, so that large tasks still pass in few rounds.
int QuantumOf(int max_batch_size) { return std::max(1, max_batch_size / 4); }

}  // namespace

BatchFormer::BatchFormer(const Options& options)
    : options_(options),
      queues_{FairQueue(QuantumOf(options.max_batch_size)), FairQueue(QuantumOf(options.max_batch_size))} {
  DIGIT_CHECK(options.max_batch_size >= 1);
}

void BatchFormer::Add(std::unique_ptr<Task> task, SteadyTime now) {
  DIGIT_CHECK(task->num_images() >= 1 && task->num_images() <= options_.max_batch_size);
  task->set_entered(now);
  task->set_due(now + std::min(options_.max_queue_delay, (task->deadline() - now) / 2));
  queues_[static_cast<int>(task->priority())].Add(std::move(task));
}

SteadyTime BatchFormer::NextDue() const {
  if (empty()) return SteadyTime::InfiniteFuture();
  if (options_.max_queue_delay == absl::ZeroDuration()) return SteadyTime();
  SteadyTime due = SteadyTime::InfiniteFuture();
  for (const FairQueue& queue : queues_) {
    due = std::min(due, queue.num_images() >= options_.max_batch_size ? queue.OldestEntered() : queue.EarliestDue());
  }
  return due;
}

FairQueue& BatchFormer::NextQueue(SteadyTime now) {
  FairQueue& interactive = queues_[static_cast<int>(Priority::kInteractive)];
  FairQueue& bulk = queues_[static_cast<int>(Priority::kBulk)];
  if (bulk.empty()) return interactive;
  if (interactive.empty()) return bulk;
  const bool aged = bulk.OldestEntered() + options_.bulk_ageing <= now;
  return aged && bulk_is_next_ ? bulk : interactive;
}

Batch BatchFormer::TakeReady(SteadyTime now, int max_images, bool no_delay) {
  Batch batch;
  FairQueue* queue = nullptr;
  const int limit = std::min(max_images, options_.max_batch_size);
  // A dead task can make a batch look due that no longer is; asking again for each task keeps the promise of the delay.
  while (batch.num_images > 0 || no_delay || NextDue() <= now) {
    if (batch.tasks.empty()) queue = &NextQueue(now);
    const Task* next = queue->Front();
    if (next == nullptr) break;
    if (next->cancelled() || next->deadline() <= now) {
      batch.dead.push_back(queue->Pop());
      continue;
    }
    if (!next->follows() && now - next->entered() > options_.max_queue_wait) {
      batch.overdue.push_back(queue->Pop());
      continue;
    }
    if (batch.num_images + next->num_images() > limit) {
      batch.reason = CutReason::kFull;
      break;
    }
    batch.num_images += next->num_images();
    batch.tasks.push_back(queue->Pop());
  }
  if (batch.tasks.empty()) {
    batch.reason = CutReason::kNone;
    return batch;
  }
  bulk_is_next_ = batch.tasks.front()->priority() == Priority::kInteractive;
  if (batch.num_images == limit) {
    batch.reason = CutReason::kFull;
  } else if (batch.reason == CutReason::kNone) {
    batch.reason = options_.max_queue_delay > absl::ZeroDuration() ? CutReason::kDelay : CutReason::kIdleExecutor;
  }
  return batch;
}

std::vector<std::unique_ptr<Task>> BatchFormer::TakeAll() {
  std::vector<std::unique_ptr<Task>> all;
  for (FairQueue& queue : queues_) {
    while (!queue.empty()) all.push_back(queue.Pop());
  }
  return all;
}

int BatchFormer::NumImagesOf(TaskClass task_class) const {
  return queues_[static_cast<int>(task_class.priority)].num_images_of(task_class.flow);
}

int BatchFormer::ImagesAhead(TaskClass task_class, int num_images) const {
  const FairQueue& mine = queues_[static_cast<int>(task_class.priority)];
  const int own = mine.num_images_of(task_class.flow);
  const int other_flows = mine.num_flows() - (own > 0 ? 1 : 0);
  const int64_t fair_share = own + int64_t{own + num_images + mine.quantum()} * other_flows;
  const int ahead = static_cast<int>(std::min<int64_t>(mine.num_images(), fair_share));
  if (task_class.priority == Priority::kBulk) return ahead + interactive().num_images();
  return ahead + std::min(bulk().num_images(), ahead);
}

}  // namespace digit
