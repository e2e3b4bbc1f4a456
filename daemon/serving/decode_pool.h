// Threads that turn image files into framed pixels, so that no executor ever decodes, and no gRPC thread what takes
// long.
//
// Scheduled like batches, by a BatchScheduler of its own with batches of one picture: bounded in pictures and in
// predicted wait, fair across callers, interactive before bulk, and what is cancelled or late is never decoded.
// Threads: options.threads, named "decode-0", joined by the destructor. Thread-safe.
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/telemetry/metric_registry.h"
#include "daemon/batching/batch_scheduler.h"

namespace digit {

// One picture to decode.
class DecodeTask : public Task {
 public:
  DecodeTask(SteadyTime deadline, TaskClass task_class) : Task(1, deadline, task_class) {}
  virtual void Run() = 0;  // on a decode thread
};

// What is counted of pictures. Not owned; null: not counted.
struct DecodeMetrics {
  QueueMetrics queue;
  Histogram* decode = nullptr;

  // All there.
  static DecodeMetrics In(MetricRegistry* metrics);
};

class DecodePool {
 public:
  struct Options {
    int threads = 1;
    int max_queued = 4096;  // pictures; guess: at 12 MiB each the message limit bounds the bytes long before
    absl::Duration max_queue_wait = absl::InfiniteDuration();
    DecodeMetrics metrics;
    const Clock* clock = SteadyClock();  // not owned
  };
  explicit DecodePool(const Options& options);
  ~DecodePool();  // runs what was accepted

  // Never blocks. `tasks` are DecodeTasks, one request's pictures; all or nothing, as BatchScheduler::Submit.
  absl::Status Submit(absl::Span<std::unique_ptr<Task>> tasks);

  // Instead of Submit(), on the caller's thread: for what is sooner done than handed to another.
  void RunHere(DecodeTask&& task) { RunTask(task); }

  int num_queued() const { return scheduler_.num_queued_images(); }

 private:
  void RunThread(int index);
  void RunTask(DecodeTask& task);

  const Clock* const clock_;
  Histogram* const decode_seconds_;  // may be null
  BatchScheduler scheduler_;
  const std::shared_ptr<BatchScheduler::Queue> queue_;
  std::vector<std::thread> threads_;
};

}  // namespace digit
