// What waits in a queue. Batching knows how many images a task has and when it is dead, nothing else.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"

namespace digit {

// Interactive tasks run first; bulk ones when none waits, or in turns once they have waited for long (BatchFormer).
enum class Priority { kInteractive, kBulk };
inline constexpr int kNumPriorities = 2;

// Who asks: tasks of one flow (a stream, a connection) share one turn with all others' (FairQueue).
using FlowId = uint64_t;

struct TaskClass {
  Priority priority = Priority::kInteractive;
  FlowId flow = 0;
};

class Task {
 public:
  // `num_images`: 1..max_batch_size of the queue it goes to. `deadline`: after it the task must not run.
  Task(int num_images, SteadyTime deadline, TaskClass task_class = {})
      : num_images_(num_images), deadline_(deadline), class_(task_class) {}
  virtual ~Task() = default;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  int num_images() const { return num_images_; }
  SteadyTime deadline() const { return deadline_; }
  Priority priority() const { return class_.priority; }
  FlowId flow() const { return class_.flow; }
  SteadyTime entered() const { return entered_; }
  void set_entered(SteadyTime now) { entered_ = now; }
  SteadyTime due() const { return due_; }  // when it need not wait for company any longer
  void set_due(SteadyTime due) { due_ = due; }
  // Another task of the same request is ahead of it in its flow: it goes where that one went, and is never overdue.
  bool follows() const { return follows_; }
  void set_follows() { follows_ = true; }

  // Whether the caller has gone. Any thread; must not block.
  virtual bool cancelled() const = 0;
  // The task will never run. Called at most once, on an executor thread or the one that shuts down; must not block.
  virtual void Fail(const absl::Status& status) = 0;

 private:
  const int num_images_;
  const SteadyTime deadline_;
  const TaskClass class_;
  SteadyTime entered_, due_;
  bool follows_ = false;
};

enum class CutReason { kNone, kIdleExecutor, kFull, kDelay };
inline constexpr int kNumCutReasons = 4;

// As logs and metrics call it.
constexpr absl::string_view NameOf(CutReason reason) {
  constexpr std::array<absl::string_view, kNumCutReasons> kNames = {"none", "idle", "full", "delay"};
  return kNames[static_cast<size_t>(reason)];
}

struct Batch {
  std::vector<std::unique_ptr<Task>> tasks;    // in order of entry; to run
  std::vector<std::unique_ptr<Task>> dead;     // cancelled or expired; to be answered, never run
  std::vector<std::unique_ptr<Task>> overdue;  // waited longer than promised; to be answered, never run
  int num_images = 0;                          // of `tasks`
  CutReason reason = CutReason::kNone;
};

}  // namespace digit
