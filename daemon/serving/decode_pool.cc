#include "daemon/serving/decode_pool.h"

#include "absl/strings/str_cat.h"
#include "base/threads.h"

namespace digit {

DecodePool::DecodePool(const Options& options)
    : scheduler_(options.clock, options.threads),
      queue_(scheduler_.AddQueue({.name = "pictures to decode",
                                  .batching = {.max_batch_size = 1, .max_queue_wait = options.max_queue_wait},
                                  .max_queued_images = options.max_queued},
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
    for (const std::unique_ptr<Task>& task : work.batch.tasks) static_cast<DecodeTask&>(*task).Run();
    work = {};
  }
}

}  // namespace digit
