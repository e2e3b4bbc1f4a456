#include "daemon/serving/decode_pool.h"

#include "absl/strings/str_cat.h"
#include "base/threads.h"

namespace digit {

DecodeMetrics DecodeMetrics::In(MetricRegistry* metrics) {
  DecodeMetrics made;
  made.queue.wait = &metrics
                         ->AddHistograms("digit_decode_queue_wait_seconds", "Time that pictures waited to be decoded.",
                                         {}, Histogram::Seconds())
                         .With({});
  CounterFamily& refused =
      metrics->AddCounters("digit_decode_refused_total", "Pictures refused, or let in and not decoded.", {"reason"});
  for (int i = 0; i < kNumRefusals; ++i) made.queue.refused[i] = &refused.With({NameOf(static_cast<Refusal>(i))});
  made.decode =
      &metrics->AddHistograms("digit_decode_seconds", "Time to decode and frame a picture.", {}, Histogram::Seconds())
           .With({});
  return made;
}

DecodePool::DecodePool(const Options& options)
    : clock_(options.clock),
      decode_seconds_(options.metrics.decode),
      scheduler_(options.clock, options.threads),
      queue_(scheduler_.AddQueue({.name = "pictures to decode",
                                  .batching = {.max_batch_size = 1, .max_queue_wait = options.max_queue_wait},
                                  .max_queued_images = options.max_queued,
                                  .metrics = options.metrics.queue},
                                 nullptr)) {
  for (int i = 0; i < options.threads; ++i) {
    threads_.push_back(StartThread(absl::StrCat("decode-", i), [this, i] { RunThread(i); }));
  }
}

DecodePool::~DecodePool() {
  scheduler_.Shutdown();
  for (std::thread& thread : threads_) thread.join();
}

absl::Status DecodePool::Submit(absl::Span<std::unique_ptr<Task>> tasks) {
  return scheduler_.Submit(queue_.get(), tasks);
}

void DecodePool::RunThread(int index) {
  BatchScheduler::Work work;
  while (scheduler_.TakeBatch(index, &work)) {
    RunTask(static_cast<DecodeTask&>(*work.batch.tasks.front()));  // a batch is one picture
    work = {};
  }
}

void DecodePool::RunTask(DecodeTask& task) {
  const SteadyTime started = clock_->Now();
  task.Run();
  if (decode_seconds_ != nullptr) decode_seconds_->Observe(clock_->Now() - started);
}

}  // namespace digit
