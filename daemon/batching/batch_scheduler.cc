#include "daemon/batching/batch_scheduler.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace digit {

// Guarded by the scheduler's mu_, but for what is constant.
class BatchScheduler::Queue {
 public:
  Queue(QueueOptions options, void* owner)
      : options(std::move(options)), owner(owner), former(this->options.batching) {}

  const QueueOptions options;
  void* const owner;
  BatchFormer former;
  int deficit = 0;  // images this queue may still take in its turn
  bool closed = false;
};

namespace {

void AnswerDead(const std::vector<std::unique_ptr<Task>>& dead) {
  for (const std::unique_ptr<Task>& task : dead) {
    task->Fail(task->cancelled() ? absl::CancelledError("the caller cancelled the request")
                                 : absl::DeadlineExceededError("the deadline passed while the request waited"));
  }
}

}  // namespace

BatchScheduler::BatchScheduler(const Clock* clock) : clock_(clock) {}

BatchScheduler::~BatchScheduler() {
  std::vector<std::unique_ptr<Task>> left;
  {
    MutexLock lock(&mu_);
    for (const std::shared_ptr<Queue>& queue : queues_) {
      for (std::unique_ptr<Task>& task : queue->former.TakeAll()) left.push_back(std::move(task));
    }
  }
  for (const std::unique_ptr<Task>& task : left) task->Fail(absl::UnavailableError("the server is shutting down"));
}

std::shared_ptr<BatchScheduler::Queue> BatchScheduler::AddQueue(QueueOptions options, void* owner) {
  auto queue = std::make_shared<Queue>(std::move(options), owner);
  MutexLock lock(&mu_);
  queues_.push_back(queue);
  return queue;
}

void* BatchScheduler::OwnerOf(const Queue& queue) { return queue.owner; }

absl::Status BatchScheduler::Submit(Queue* queue, absl::Span<std::unique_ptr<Task>> tasks) {
  const SteadyTime now = clock_->Now();
  int num_images = 0;
  for (const std::unique_ptr<Task>& task : tasks) num_images += task->num_images();
  {
    MutexLock lock(&mu_);
    if (shut_down_) return absl::UnavailableError("the server is shutting down");
    if (queue->closed) {
      return absl::UnavailableError(absl::StrCat("model ", queue->options.name, " is being unloaded"));
    }
    if (queue->former.num_images() + num_images > queue->options.max_queued_images) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "the queue of model ", queue->options.name, " holds ", queue->former.num_images(), " images; with ",
          num_images, " more it would exceed the limit of ", queue->options.max_queued_images));
    }
    for (std::unique_ptr<Task>& task : tasks) queue->former.Add(std::move(task), now);
  }
  if (tasks.size() == 1) {
    work_due_.NotifyOne();
  } else {
    work_due_.NotifyAll();
  }
  return absl::OkStatus();
}

bool BatchScheduler::TakeBatch(Work* work) {
  while (true) {
    bool found;
    {
      MutexLock lock(&mu_);
      SteadyTime next_due;
      while (!(found = TakeDue(clock_->Now(), work, &next_due))) {
        if (shut_down_ && next_due == SteadyTime::InfiniteFuture()) return false;
        clock_->WaitUntil(&work_due_, &mu_, next_due);
      }
    }
    AnswerDead(work->batch.dead);  // outside the lock: it calls out
    work->batch.dead.clear();
    if (found && !work->batch.tasks.empty()) return true;
  }
}

bool BatchScheduler::TakeDue(SteadyTime now, Work* work, SteadyTime* next_due) {
  ForgetClosedAndEmpty();
  *next_due = SteadyTime::InfiniteFuture();
  for (size_t i = 0; i < queues_.size(); ++i) {
    const std::shared_ptr<Queue>& queue = queues_[turn_ % queues_.size()];
    const SteadyTime due = queue->former.NextDue();
    if (queue->former.empty()) {
      queue->deficit = 0;
    } else if (shut_down_ || due <= now) {
      // A quantum of max_batch_size is enough for any task, so a turn never passes in vain.
      const int max_batch_size = queue->former.options().max_batch_size;
      if (queue->deficit < max_batch_size) queue->deficit += max_batch_size;
      // After Shutdown() nothing waits for company: `due` counts as now.
      work->batch = queue->former.TakeReady(shut_down_ ? std::max(due, now) : now, queue->deficit);
      queue->deficit -= work->batch.num_images;
      work->queue = queue;
      if (queue->deficit < max_batch_size || queue->former.empty()) ++turn_;
      if (!work->batch.tasks.empty() || !work->batch.dead.empty()) return true;
    }
    *next_due = std::min(*next_due, queue->former.NextDue());
    ++turn_;
  }
  return false;
}

void BatchScheduler::ForgetClosedAndEmpty() {
  queues_.erase(std::remove_if(queues_.begin(), queues_.end(),
                               [](const std::shared_ptr<Queue>& q) { return q->closed && q->former.empty(); }),
                queues_.end());
}

void BatchScheduler::CloseQueue(Queue* queue) {
  MutexLock lock(&mu_);
  queue->closed = true;
}

void BatchScheduler::Shutdown() {
  {
    MutexLock lock(&mu_);
    shut_down_ = true;
  }
  work_due_.NotifyAll();
}

int BatchScheduler::num_queued_images() const {
  MutexLock lock(&mu_);
  int sum = 0;
  for (const std::shared_ptr<Queue>& queue : queues_) sum += queue->former.num_images();
  return sum;
}

}  // namespace digit
