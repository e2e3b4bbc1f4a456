// Holds the waiting tasks of every model version and hands batches to executors that ask.
//
// Work-conserving: an executor that asks gets what waits, at most max_batch_size images of one version; only
// max_queue_delay > 0 makes a part-filled batch wait for company. Versions take turns by deficit round robin in images
// (Shreedhar & Varghese 1995), so that a busy model cannot starve another. Expired and cancelled tasks are answered
// when their turn comes and never handed out. Worst case, Submit() takes one lock that is held for the time of moving
// one batch of pointers. Threads: none of its own; TakeBatch() blocks the executors of daemon/pool. Thread-safe.
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

namespace digit {

class BatchScheduler {
 public:
  struct QueueOptions {
    std::string name;  // "mnist/3f2a", for messages
    BatchFormer::Options batching;
    int max_queued_images = 4096;  // beyond this Submit() refuses; guess, until measured
  };
  // One version's queue. Opaque; made by AddQueue, closed by CloseQueue.
  class Queue;
  struct Work {
    std::shared_ptr<Queue> queue;  // whose batch this is
    Batch batch;                   // never empty; `dead` already answered
  };

  explicit BatchScheduler(const Clock* clock);  // not owned
  ~BatchScheduler();                            // answers what still waits with UNAVAILABLE

  // `owner` is handed back by OwnerOf(); it must outlive the queue's last batch.
  std::shared_ptr<Queue> AddQueue(QueueOptions options, void* owner) ABSL_LOCKS_EXCLUDED(mu_);
  static void* OwnerOf(const Queue& queue);

  // Never blocks. All or nothing: on OK each task is handed out or failed exactly once, on an executor; on error the
  // tasks stay with the caller and Fail() is not called. RESOURCE_EXHAUSTED: full. UNAVAILABLE: closed or shut down.
  absl::Status Submit(Queue* queue, absl::Span<std::unique_ptr<Task>> tasks) ABSL_LOCKS_EXCLUDED(mu_);

  // Blocks until a batch is due. False after Shutdown(), once nothing waits any more.
  bool TakeBatch(Work* work) ABSL_LOCKS_EXCLUDED(mu_);

  // Submit() to it is refused from now on; what waits still runs.
  void CloseQueue(Queue* queue) ABSL_LOCKS_EXCLUDED(mu_);

  // Refuses new tasks; executors get what waits, without delay, then false.
  void Shutdown() ABSL_LOCKS_EXCLUDED(mu_);

  int num_queued_images() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // The next batch that is due by deficit round robin, or an empty one and when to look again.
  bool TakeDue(SteadyTime now, Work* work, SteadyTime* next_due) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ForgetClosedAndEmpty() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Clock* const clock_;

  mutable Mutex mu_;
  CondVar work_due_;
  std::vector<std::shared_ptr<Queue>> queues_ ABSL_GUARDED_BY(mu_);
  size_t turn_ ABSL_GUARDED_BY(mu_) = 0;  // index into queues_: whose turn it is
  bool shut_down_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace digit
