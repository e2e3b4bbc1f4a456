// Decides which waiting tasks of ONE model version run together, and when. Pure policy: `now` is an argument, there are
// no threads and no clock; BatchScheduler adds both.
//
// A batch is of one priority: interactive tasks first, so that none is slowed by the company of bulk ones. Bulk tasks
// run when no interactive one waits; once the oldest has waited for bulk_ageing, every other batch is theirs: neither
// starves. Within a priority flows take turns (FairQueue). With max_queue_delay 0 (the default) whatever waits is due
// at once: an idle executor never waits for company. With a delay, a batch is due when it is full, its oldest task
// has waited that long, or a task has waited for half of the time until its deadline. Not thread-safe.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "daemon/batching/fair_queue.h"
#include "daemon/batching/task.h"

namespace digit {

class BatchFormer {
 public:
  struct Options {
    int max_batch_size = 32;                                   // images, >= 1; guess, until measured
    absl::Duration max_queue_delay = absl::ZeroDuration();     // 0: never wait
    absl::Duration max_queue_wait = absl::InfiniteDuration();  // a task that waited longer is overdue and never runs
    absl::Duration bulk_ageing = absl::Milliseconds(100);      // guess: what a person begins to notice
  };
  explicit BatchFormer(const Options& options);

  // `task` has 1..max_batch_size images (checked).
  void Add(std::unique_ptr<Task> task, SteadyTime now);

  // When TakeReady() will next return something: in the past when a batch is due, InfiniteFuture() when empty.
  SteadyTime NextDue() const;

  // At most `max_images` (and max_batch_size) images, if a batch is due at `now` or `no_delay` says not to wait for
  // that, else an empty batch. Tasks met on the way that are cancelled or past their deadline come back in `dead`,
  // those beyond max_queue_wait in `overdue`.
  Batch TakeReady(SteadyTime now, int max_images, bool no_delay = false);

  // Everything that waits, for shutdown.
  std::vector<std::unique_ptr<Task>> TakeAll();

  // Images that may run before a new task of this class with `num_images`: what is ahead in its own flow, what other
  // flows may take in that time, and the same of the other priority. An estimate: later arrivals are not in it.
  int ImagesAhead(TaskClass task_class, int num_images) const;

  // Of this priority and flow, waiting.
  int NumImagesOf(TaskClass task_class) const;

  int num_images() const { return interactive().num_images() + bulk().num_images(); }
  bool empty() const { return num_images() == 0; }
  const Options& options() const { return options_; }

 private:
  const FairQueue& interactive() const { return queues_[static_cast<int>(Priority::kInteractive)]; }
  const FairQueue& bulk() const { return queues_[static_cast<int>(Priority::kBulk)]; }
  FairQueue& NextQueue(SteadyTime now);

  const Options options_;
  std::array<FairQueue, kNumPriorities> queues_;
  bool bulk_is_next_ = false;  // when both wait and bulk has aged
};

}  // namespace digit
