// What waits in a queue. Batching knows how many images a task has and when it is dead, nothing else.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"

namespace digit {

class Task {
 public:
  // `num_images`: 1..max_batch_size of the queue it goes to. `deadline`: after it the task must not run.
  Task(int num_images, SteadyTime deadline) : num_images_(num_images), deadline_(deadline) {}
  virtual ~Task() = default;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  int num_images() const { return num_images_; }
  SteadyTime deadline() const { return deadline_; }
  SteadyTime entered() const { return entered_; }
  void set_entered(SteadyTime now) { entered_ = now; }

  // Whether the caller has gone. Any thread; must not block.
  virtual bool cancelled() const = 0;
  // The task will never run. Called at most once, on an executor thread or the one that shuts down; must not block.
  virtual void Fail(const absl::Status& status) = 0;

 private:
  const int num_images_;
  const SteadyTime deadline_;
  SteadyTime entered_;
};

enum class CutReason { kNone, kIdleExecutor, kFull, kDelay };

struct Batch {
  std::vector<std::unique_ptr<Task>> tasks;  // in order of entry; to run
  std::vector<std::unique_ptr<Task>> dead;   // cancelled or expired; to be answered, never run
  int num_images = 0;                        // of `tasks`
  CutReason reason = CutReason::kNone;
};

}  // namespace digit
