// Holds the waiting tasks of every model version and hands batches to executors that ask.
//
// Work-conserving: an executor that asks gets what waits, at most max_batch_size images of one version; only
// max_queue_delay > 0 makes a part-filled batch wait for company. Versions take turns by deficit round robin in images
// (Shreedhar & Varghese 1995), so that a busy model cannot starve another. Expired and cancelled tasks are answered
// when their turn comes and never handed out. Executors that only help (a CPU beside a GPU) get what they will have
// done before the others could (HelpPolicy). Every batch's time is fitted (CostModel), so that Submit() can refuse what
// would wait too long (Admission). Worst case, Submit() takes one lock that is held for the time of moving one batch of
// pointers and of looking at every version and executor once. Threads: none of its own; TakeBatch() blocks the
// executors of daemon/pool. Thread-safe.
// Not here: which version a request goes to, padding, retries, the cutting rule (BatchFormer).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "daemon/batching/batch_former.h"
#include "daemon/batching/cost_model.h"
#include "daemon/batching/queue_metrics.h"

namespace digit {

class BatchScheduler {
 public:
  struct QueueOptions {
    std::string name;               // "model mnist/3f2a", for messages
    BatchFormer::Options batching;  // its max_queue_wait is also the bound on the predicted wait
    std::vector<CostModel> costs;   // what is known beforehand, from warm-up, by executor; empty: nothing
    // Beyond this Submit() refuses; a flow may hold as much as it leaves free, so that others find room. Guess.
    int max_queued_images = 4096;
    QueueMetrics metrics;
  };
  // One version's queue. Opaque; made by AddQueue, closed by CloseQueue.
  class Queue;
  struct Work {
    std::shared_ptr<Queue> queue;  // whose batch this is
    Batch batch;                   // never empty; `dead` already answered
  };

  struct Executor {
    // Gets at most `max_images` of a queue for which one that does not only help is usable, and those only while all
    // of these are busy.
    bool helps = false;
    int max_images = 0;  // with `helps`
  };

  // At least one executor, and one that does not only help. `clock` is not owned.
  BatchScheduler(const Clock* clock, std::vector<Executor> executors);
  BatchScheduler(const Clock* clock, int num_executors) : BatchScheduler(clock, std::vector<Executor>(num_executors)) {}
  ~BatchScheduler();  // answers what still waits with UNAVAILABLE

  // `owner` is handed back by OwnerOf(); it must outlive the queue's last batch.
  std::shared_ptr<Queue> AddQueue(QueueOptions options, void* owner) ABSL_LOCKS_EXCLUDED(mu_);
  static void* OwnerOf(const Queue& queue);

  // Never blocks. All or nothing: on OK each task is handed out or failed exactly once, on an executor; on error the
  // tasks stay with the caller and Fail() is not called. `tasks` are one request's: of one class and with one deadline;
  // not empty. max_queue_wait bounds the wait of the first; the others follow it.
  // RESOURCE_EXHAUSTED, with the time to retry after: full, would wait longer than max_queue_wait, or would miss the
  // deadline. UNAVAILABLE: closed, shut down, or no executor is usable. DEADLINE_EXCEEDED, CANCELLED: too late already.
  absl::Status Submit(Queue* queue, absl::Span<std::unique_ptr<Task>> tasks) ABSL_LOCKS_EXCLUDED(mu_);

  // What Submit() would say now to a request like this, without one: for work that comes before it. Never blocks.
  absl::Status CheckAdmission(const Queue& queue, TaskClass task_class, int num_images, SteadyTime deadline) const
      ABSL_LOCKS_EXCLUDED(mu_);

  // Blocks until a batch is due that `executor` may run. Calling it says that the executor's last batch, if any, is
  // done; its time goes into the cost model. False after Shutdown(), once nothing waits any more.
  bool TakeBatch(int executor, Work* work) ABSL_LOCKS_EXCLUDED(mu_);

  // Whether `executor` may run this queue's batches; true at first. When none may, what waits fails with UNAVAILABLE.
  void SetUsable(Queue* queue, int executor, bool usable) ABSL_LOCKS_EXCLUDED(mu_);

  // Submit() to it is refused from now on; what waits still runs.
  void CloseQueue(Queue* queue) ABSL_LOCKS_EXCLUDED(mu_);

  // Refuses new tasks; executors get what waits, without delay, then false.
  void Shutdown() ABSL_LOCKS_EXCLUDED(mu_);

  int num_queued_images() const ABSL_LOCKS_EXCLUDED(mu_);
  int num_queued_images(const Queue& queue) const ABSL_LOCKS_EXCLUDED(mu_);
  // How long each executor has been at batches that are done, by executor.
  std::vector<absl::Duration> busy_times() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // What an executor is doing.
  struct Running {
    std::shared_ptr<Queue> queue;  // null: idle
    int num_images = 0;
    SteadyTime since, expected_end;
  };

  // Counts what it refuses.
  absl::Status CheckAdmissionLocked(const Queue& queue, TaskClass task_class, int num_images, SteadyTime deadline,
                                    SteadyTime now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void FinishRunning(int executor, SteadyTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // How many images `executor` may take of `queue` now; kAnyNumber without a limit.
  int MayTake(int executor, const Queue& queue, SteadyTime now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Whether all executors that do more than help, and may run this queue's batches, are at one.
  bool OthersAreBusy(const Queue& queue) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Whether an idle executor would take of the queue though it only helps.
  bool HelpIsDue(const Queue& queue, SteadyTime now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The next batch that is due by deficit round robin, or an empty one and when to look again.
  bool TakeDue(int executor, SteadyTime now, Work* work, SteadyTime* next_due) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ForgetClosedAndEmpty() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // After a take: it may have used up a notification that was for more than it took, or the only timed wait for what is
  // not due yet. One executor wakes the next.
  void WakeForTheRest(SteadyTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Clock* const clock_;
  const std::vector<Executor> executors_;
  const bool any_helps_;

  mutable Mutex mu_;
  CondVar work_due_;                                             // for executors that do not only help
  CondVar help_due_;                                             // for those that do
  std::vector<Running> running_ ABSL_GUARDED_BY(mu_);            // by executor
  std::vector<absl::Duration> busy_times_ ABSL_GUARDED_BY(mu_);  // by executor
  std::vector<std::shared_ptr<Queue>> queues_ ABSL_GUARDED_BY(mu_);
  size_t turn_ ABSL_GUARDED_BY(mu_) = 0;  // index into queues_: whose turn it is
  bool shut_down_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace digit
