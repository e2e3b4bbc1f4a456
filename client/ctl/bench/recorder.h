// What became of each request, counted while the load runs.
#pragma once

#include <grpcpp/support/status.h>

#include <atomic>
#include <chrono>
#include <string>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "client/ctl/bench/answer_check.h"
#include "client/ctl/bench/result.h"

namespace digit {

using Steady = std::chrono::steady_clock;  // wall time may jump

// One request: which message, and when it was due. An open loop's latencies count from that moment, whenever it was
// really sent; a closed loop is due at the moment of sending.
struct Ticket {
  int message = 0;
  bool timed = false;  // asks for the server's own times
  Steady::time_point due;
  bool counted = false;  // Sent() says so, once: a request is counted with its answer or not at all
};

// Thread-safe: the lanes' threads record, the measuring thread takes.
class Recorder {
 public:
  // Both must outlive the recorder.
  Recorder(const MessageSet& messages, const AnswerCheck& check) : messages_(messages), check_(check) {}

  // Requests that are due from `start` on are counted; before the first call, none.
  void CountFrom(Steady::time_point start) { count_from_ = start.time_since_epoch().count(); }

  void Sent(Ticket* ticket, Steady::time_point now);
  void Answered(const Ticket& ticket, const v1::RecognizeResponse& response, Steady::time_point now);
  void Failed(const Ticket& ticket, int code, const std::string& message, Steady::time_point now = Steady::now());
  // An answer that belongs to no request, or to another one.
  void Misplaced(const std::string& what);

  // What was counted since the last call.
  BenchCounts Take();

 private:
  void AddWrong(const std::string& what) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const MessageSet& messages_;
  const AnswerCheck& check_;
  std::atomic<Steady::rep> count_from_ = Steady::time_point::max().time_since_epoch().count();

  Mutex mu_;
  BenchCounts counts_ ABSL_GUARDED_BY(mu_);
};

}  // namespace digit
