// Threads that turn image files into framed pixels, so that no gRPC thread and no executor ever decodes.
//
// Bounded: at most max_queued jobs wait; beyond that Submit() refuses. Threads: options.threads, named "decode-0",
// joined by the destructor. Thread-safe.
#pragma once

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "base/mutex.h"

namespace digit {

class DecodePool {
 public:
  struct Options {
    int threads = 1;
    int max_queued = 4096;  // images; guess: at 12 MiB each the message limit bounds the bytes long before
  };
  explicit DecodePool(const Options& options);
  ~DecodePool();  // runs what was accepted

  // All or nothing: RESOURCE_EXHAUSTED when the jobs do not all fit. Jobs run in any order, on decode threads.
  absl::Status Submit(std::vector<std::function<void()>> jobs) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void RunThread() ABSL_LOCKS_EXCLUDED(mu_);

  const Options options_;
  Mutex mu_;
  CondVar job_waits_;
  std::deque<std::function<void()>> jobs_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace digit
