// Decides which waiting tasks of ONE model version run together, and when. Pure policy: `now` is an argument, there are
// no threads and no clock; BatchScheduler adds both.
//
// First in, first out. With max_queue_delay 0 (the default) whatever waits is due at once: an idle executor never
// waits for company. With a delay, a batch is due when it is full or its oldest task has waited that long.
// Not thread-safe.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "daemon/batching/task.h"

namespace digit {

class BatchFormer {
 public:
  struct Options {
    int max_batch_size = 32;                                // images, >= 1; guess, until measured
    absl::Duration max_queue_delay = absl::ZeroDuration();  // 0: never wait
  };
  explicit BatchFormer(const Options& options);

  // `task` has 1..max_batch_size images (checked).
  void Add(std::unique_ptr<Task> task, SteadyTime now);

  // When TakeReady() will next return something: in the past when a batch is due, InfiniteFuture() when empty.
  SteadyTime NextDue() const;

  // At most `max_images` (and max_batch_size) images, if a batch is due at `now`, else an empty batch. Tasks met on the
  // way that are cancelled or past their deadline come back in `dead`.
  Batch TakeReady(SteadyTime now, int max_images);

  // Everything that waits, for shutdown.
  std::vector<std::unique_ptr<Task>> TakeAll();

  int num_images() const { return num_images_; }
  bool empty() const { return waiting_.empty(); }
  const Options& options() const { return options_; }

 private:
  std::unique_ptr<Task> PopFront();

  const Options options_;
  std::deque<std::unique_ptr<Task>> waiting_;
  int num_images_ = 0;
};

}  // namespace digit
