#include "daemon/batching/batch_scheduler.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "base/retry_after.h"
#include "base/status.h"
#include "daemon/batching/admission.h"
#include "daemon/batching/help_policy.h"

namespace digit {

// Guarded by the scheduler's mu_, but for what is constant.
class BatchScheduler::Queue {
 public:
  Queue(QueueOptions options, void* owner, const std::vector<Executor>& executors)
      : options(std::move(options)),
        owner(owner),
        executors(executors),
        former(this->options.batching),
        costs(this->options.costs),
        usable(executors.size(), true) {
    costs.resize(executors.size());
    CountUsable();
  }

  void SetUsable(int executor, bool is_usable) {
    usable[executor] = is_usable;
    CountUsable();
  }

  // Whether this executor's time counts in predictions: help is a gift.
  bool Counts(size_t executor) const { return usable[executor] && !(executors[executor].helps && num_others > 0); }
  int num_counting() const { return num_others > 0 ? num_others : num_usable; }

  // Executor time of `images` in full batches, on an executor of average speed.
  absl::Duration CostOf(int images) const {
    absl::Duration sum = absl::ZeroDuration();
    for (size_t i = 0; i < costs.size(); ++i) {
      if (Counts(i)) sum += costs[i].Predict(options.batching.max_batch_size);
    }
    return sum * (static_cast<double>(images) / options.batching.max_batch_size / std::max(1, num_counting()));
  }

  // Counts it.
  absl::Status Refuse(Refusal refusal, int images, absl::Status why) const {
    options.metrics.CountRefused(refusal, images);
    return why;
  }

  const QueueOptions options;
  void* const owner;
  const std::vector<Executor>& executors;  // the scheduler's
  BatchFormer former;
  std::vector<CostModel> costs;  // by executor
  std::vector<bool> usable;      // by executor
  int num_usable = 0;
  int num_others = 0;  // that are usable and do not only help
  int deficit = 0;     // images this queue may still take in its turn
  bool closed = false;

 private:
  void CountUsable() {
    num_usable = num_others = 0;
    for (size_t i = 0; i < usable.size(); ++i) {
      if (usable[i]) ++num_usable;
      if (usable[i] && !executors[i].helps) ++num_others;
    }
  }
};

namespace {

constexpr int kAnyNumber = std::numeric_limits<int>::max();

void AnswerDead(const Batch& batch, const QueueMetrics& metrics) {
  for (const std::unique_ptr<Task>& task : batch.dead) {
    const bool cancelled = task->cancelled();
    metrics.CountRefused(cancelled ? Refusal::kCancelled : Refusal::kExpired, task->num_images());
    task->Fail(cancelled ? absl::CancelledError("the caller cancelled the request")
                         : absl::DeadlineExceededError("the deadline passed while the request waited"));
  }
  for (const std::unique_ptr<Task>& task : batch.overdue) {
    metrics.CountRefused(Refusal::kOverdue, task->num_images());
    task->Fail(WithRetryAfter(absl::ResourceExhaustedError("overloaded: the request waited longer than was foreseen"),
                              absl::Milliseconds(100)));
  }
}

void FailAll(const std::vector<std::unique_ptr<Task>>& tasks, const absl::Status& status) {
  for (const std::unique_ptr<Task>& task : tasks) task->Fail(status);
}

absl::Status NoExecutorError(const std::string& name) {
  return absl::UnavailableError(
      absl::StrCat("no executor can run ", name, " at the moment: its engines failed and are being rebuilt"));
}

}  // namespace

BatchScheduler::BatchScheduler(const Clock* clock, std::vector<Executor> executors)
    : clock_(clock),
      executors_(std::move(executors)),
      any_helps_(std::any_of(executors_.begin(), executors_.end(), [](const Executor& e) { return e.helps; })),
      running_(executors_.size()),
      busy_times_(executors_.size()) {}

BatchScheduler::~BatchScheduler() {
  std::vector<std::unique_ptr<Task>> left;
  {
    MutexLock lock(&mu_);
    for (const std::shared_ptr<Queue>& queue : queues_) {
      for (std::unique_ptr<Task>& task : queue->former.TakeAll()) left.push_back(std::move(task));
    }
  }
  FailAll(left, absl::UnavailableError("the server is shutting down"));
}

std::shared_ptr<BatchScheduler::Queue> BatchScheduler::AddQueue(QueueOptions options, void* owner) {
  MutexLock lock(&mu_);
  auto queue = std::make_shared<Queue>(std::move(options), owner, executors_);
  queues_.push_back(queue);
  return queue;
}

void* BatchScheduler::OwnerOf(const Queue& queue) { return queue.owner; }

absl::Status BatchScheduler::Submit(Queue* queue, absl::Span<std::unique_ptr<Task>> tasks) {
  const SteadyTime now = clock_->Now();
  int num_images = 0;
  for (const std::unique_ptr<Task>& task : tasks) num_images += task->num_images();
  if (tasks[0]->cancelled()) {
    return queue->Refuse(Refusal::kCancelled, num_images, absl::CancelledError("the caller cancelled the request"));
  }
  if (tasks[0]->deadline() <= now) {
    return queue->Refuse(Refusal::kExpired, num_images,
                         absl::DeadlineExceededError("the deadline passed before the request waited"));
  }
  const TaskClass task_class = {tasks[0]->priority(), tasks[0]->flow()};
  bool any_executor_will_do, may_help;
  const size_t num_executors = executors_.size();
  {
    MutexLock lock(&mu_);
    RETURN_IF_ERROR(CheckAdmissionLocked(*queue, task_class, num_images, tasks[0]->deadline(), now));
    any_executor_will_do = queue->num_usable == static_cast<int>(num_executors);
    for (size_t i = 0; i < tasks.size(); ++i) {
      if (i > 0) tasks[i]->set_follows();
      queue->former.Add(std::move(tasks[i]), now);
    }
    may_help = HelpIsDue(*queue, now);
  }
  // One wakes the next one, if there is more; one that cannot run this model wakes nobody.
  if (may_help) any_executor_will_do ? help_due_.NotifyOne() : help_due_.NotifyAll();
  if (any_executor_will_do && tasks.size() < num_executors) {
    for (size_t i = 0; i < tasks.size(); ++i) work_due_.NotifyOne();
  } else {
    work_due_.NotifyAll();
  }
  return absl::OkStatus();
}

absl::Status BatchScheduler::CheckAdmission(const Queue& queue, TaskClass task_class, int num_images,
                                            SteadyTime deadline) const {
  const SteadyTime now = clock_->Now();
  MutexLock lock(&mu_);
  return CheckAdmissionLocked(queue, task_class, num_images, deadline, now);
}

absl::Status BatchScheduler::CheckAdmissionLocked(const Queue& queue, TaskClass task_class, int num_images,
                                                  SteadyTime deadline, SteadyTime now) const {
  if (shut_down_) {
    return queue.Refuse(Refusal::kStopping, num_images, absl::UnavailableError("the server is shutting down"));
  }
  if (queue.closed) {
    return queue.Refuse(Refusal::kStopping, num_images,
                        absl::UnavailableError(absl::StrCat(queue.options.name, " is being unloaded")));
  }
  if (queue.num_usable == 0) {
    return queue.Refuse(Refusal::kNoExecutor, num_images, NoExecutorError(queue.options.name));
  }
  const int waiting = queue.former.num_images();
  // Choudhury & Hahne 1998, "Dynamic Queue Length Thresholds": no flow fills the queue so that others are refused.
  const int own_waiting = queue.former.NumImagesOf(task_class);
  if (own_waiting + num_images > queue.options.max_queued_images - waiting) {
    absl::Status full = absl::ResourceExhaustedError(
        absl::StrCat("the queue of ", queue.options.name, " holds ", waiting, " images, ", own_waiting,
                     " of them this caller's; ", num_images, " more are too many for its limit of ",
                     queue.options.max_queued_images, ", of which one caller may take as many as it leaves free"));
    return queue.Refuse(Refusal::kQueueFull, num_images,
                        WithRetryAfter(std::move(full), std::max(absl::Milliseconds(1),
                                                                 queue.CostOf(num_images) / queue.num_counting())));
  }
  absl::InlinedVector<absl::Duration, 16> busy;
  for (size_t i = 0; i < running_.size(); ++i) {
    if (!queue.Counts(i)) continue;
    // What runs late will go on for about as long as it is late.
    busy.push_back(running_[i].queue == nullptr ? absl::ZeroDuration()
                                                : absl::AbsDuration(running_[i].expected_end - now));
  }
  const int ahead = queue.former.ImagesAhead(task_class, num_images);
  absl::Duration cost_ahead = queue.CostOf(ahead);
  for (const std::shared_ptr<Queue>& other : queues_) {
    if (other.get() == &queue) continue;
    // Versions take turns: another one gets about as many images in that time, and the batch it may be at.
    const int theirs = std::min(other->former.num_images(), ahead + other->options.batching.max_batch_size);
    cost_ahead += other->CostOf(theirs);
  }
  // What has to wait will have company by then: its batch takes as long as a full one.
  const absl::Duration own =
      std::max(queue.CostOf(queue.options.batching.max_batch_size), queue.CostOf(num_images) / queue.num_counting());
  Refusal why = Refusal::kWait;
  absl::Status status = Admit(PredictWait(busy, cost_ahead, own),
                              {.max_queue_wait = queue.options.batching.max_queue_wait}, deadline - now, &why);
  return status.ok() ? status : queue.Refuse(why, num_images, std::move(status));
}

bool BatchScheduler::TakeBatch(int executor, Work* work) {
  while (true) {
    SteadyTime now;
    {
      MutexLock lock(&mu_);
      now = clock_->Now();
      SteadyTime next_due;
      FinishRunning(executor, now);
      while (!TakeDue(executor, now, work, &next_due)) {
        if (shut_down_ && next_due == SteadyTime::InfiniteFuture()) return false;
        clock_->WaitUntil(executors_[executor].helps ? &help_due_ : &work_due_, &mu_, next_due);
        now = clock_->Now();
      }
      if (!work->batch.tasks.empty()) {
        running_[executor] = {work->queue, work->batch.num_images, now,
                              now + work->queue->costs[executor].Predict(work->batch.num_images)};
      }
      WakeForTheRest(now);  // after that: who helps does so while the others are busy
    }
    const QueueMetrics& metrics = work->queue->options.metrics;
    AnswerDead(work->batch, metrics);  // outside the lock: it calls out
    work->batch.dead.clear();
    work->batch.overdue.clear();
    if (work->batch.tasks.empty()) continue;
    if (metrics.wait != nullptr) {
      for (const std::unique_ptr<Task>& task : work->batch.tasks) metrics.wait->Observe(now - task->entered());
    }
    return true;
  }
}

void BatchScheduler::FinishRunning(int executor, SteadyTime now) {
  Running& running = running_[executor];
  if (running.queue != nullptr) {
    running.queue->costs[executor].Observe(running.num_images, now - running.since);
    busy_times_[executor] += now - running.since;
  }
  running = {};
}

void BatchScheduler::SetUsable(Queue* queue, int executor, bool usable) {
  std::vector<std::unique_ptr<Task>> left;
  {
    MutexLock lock(&mu_);
    queue->SetUsable(executor, usable);
    if (queue->num_usable == 0) left = queue->former.TakeAll();
  }
  work_due_.NotifyAll();
  help_due_.NotifyAll();
  for (const std::unique_ptr<Task>& task : left) {
    queue->options.metrics.CountRefused(Refusal::kNoExecutor, task->num_images());
  }
  FailAll(left, NoExecutorError(queue->options.name));
}

bool BatchScheduler::TakeDue(int executor, SteadyTime now, Work* work, SteadyTime* next_due) {
  ForgetClosedAndEmpty();
  *next_due = SteadyTime::InfiniteFuture();
  for (size_t i = 0; i < queues_.size(); ++i) {
    const std::shared_ptr<Queue>& queue = queues_[turn_ % queues_.size()];
    const int may_take = MayTake(executor, *queue, now);
    if (may_take == 0) {
      ++turn_;
      continue;
    }
    const SteadyTime due = queue->former.NextDue();
    if (queue->former.empty()) {
      queue->deficit = 0;
    } else if (shut_down_ || due <= now) {
      // A quantum of max_batch_size is enough for any task, so a turn never passes in vain.
      const int max_batch_size = queue->former.options().max_batch_size;
      if (queue->deficit < max_batch_size) queue->deficit += max_batch_size;
      work->batch = queue->former.TakeReady(now, std::min(queue->deficit, may_take), /*no_delay=*/shut_down_);
      queue->deficit -= work->batch.num_images;
      work->queue = queue;
      if (queue->deficit < max_batch_size || queue->former.empty()) ++turn_;
      if (!work->batch.tasks.empty() || !work->batch.dead.empty() || !work->batch.overdue.empty()) {
        return true;
      }
    }
    // What is due and too large to help with is for the others.
    const SteadyTime later = queue->former.NextDue();
    if (may_take == kAnyNumber || later > now) *next_due = std::min(*next_due, later);
    ++turn_;
  }
  return false;
}

int BatchScheduler::MayTake(int executor, const Queue& queue, SteadyTime now) const {
  if (!queue.usable[executor]) return 0;
  if (!executors_[executor].helps || queue.num_others == 0) return kAnyNumber;
  if (!OthersAreBusy(queue)) return 0;
  HelpRequest request{.max_images = executors_[executor].max_images, .others_done = absl::InfiniteDuration()};
  const int batch = std::min(queue.former.num_images(), queue.options.batching.max_batch_size);
  for (size_t i = 0; i < running_.size(); ++i) {
    if (!queue.Counts(i)) continue;
    const absl::Duration free_in = std::max(absl::ZeroDuration(), running_[i].expected_end - now);
    request.others_done = std::min(request.others_done, free_in + queue.costs[i].Predict(batch));
  }
  return ImagesToHelpWith(request, queue.costs[executor]);
}

bool BatchScheduler::OthersAreBusy(const Queue& queue) const {
  for (size_t i = 0; i < running_.size(); ++i) {
    if (queue.usable[i] && !executors_[i].helps && running_[i].queue == nullptr) return false;
  }
  return true;
}

bool BatchScheduler::HelpIsDue(const Queue& queue, SteadyTime now) const {
  if (!any_helps_) return false;
  for (size_t i = 0; i < executors_.size(); ++i) {
    const bool idle = executors_[i].helps && running_[i].queue == nullptr;
    if (idle && MayTake(static_cast<int>(i), queue, now) > 0) return true;
  }
  return false;
}

void BatchScheduler::ForgetClosedAndEmpty() {
  queues_.erase(std::remove_if(queues_.begin(), queues_.end(),
                               [](const std::shared_ptr<Queue>& q) { return q->closed && q->former.empty(); }),
                queues_.end());
}

void BatchScheduler::WakeForTheRest(SteadyTime now) {
  bool any_waiting = false, any_executor_will_do = true, may_help = false;
  for (const std::shared_ptr<Queue>& queue : queues_) {
    if (queue->former.empty()) continue;
    any_waiting = true;
    if (queue->num_usable < static_cast<int>(running_.size())) any_executor_will_do = false;
    may_help = may_help || HelpIsDue(*queue, now);
  }
  if (!any_waiting) return;
  if (may_help) any_executor_will_do ? help_due_.NotifyOne() : help_due_.NotifyAll();
  any_executor_will_do ? work_due_.NotifyOne() : work_due_.NotifyAll();
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
  help_due_.NotifyAll();
}

int BatchScheduler::num_queued_images() const {
  MutexLock lock(&mu_);
  int sum = 0;
  for (const std::shared_ptr<Queue>& queue : queues_) sum += queue->former.num_images();
  return sum;
}

int BatchScheduler::num_queued_images(const Queue& queue) const {
  MutexLock lock(&mu_);
  return queue.former.num_images();
}

std::vector<absl::Duration> BatchScheduler::busy_times() const {
  MutexLock lock(&mu_);
  return busy_times_;
}

}  // namespace digit
