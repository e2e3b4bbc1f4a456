// A thread with its completion queue that keeps requests in flight: unary calls or streams.
//
// Closed loop: the lane keeps `in_flight` requests unanswered; each answer sends the next. After UNAVAILABLE a place
// rests for kRestAfterUnavailable, so that a server that has gone is not asked in a busy loop.
// Open loop: Send() is called when a request is due; the lane never sends by itself.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "client/ctl/bench/messages.h"
#include "client/ctl/bench/recorder.h"

namespace digit {

inline constexpr std::chrono::milliseconds kRestAfterUnavailable(20);

// Which message comes next, for all lanes of a load: every message in turn. Thread-safe.
class TicketSource {
 public:
  explicit TicketSource(const MessageSet& messages) : messages_(messages.size()) {}

  Ticket Next(Steady::time_point due) {
    const int64_t n = next_++;
    // The turn's number is added so that it is not always the same messages that ask.
    return {static_cast<int>(n % messages_), (n + n / messages_) % kTimingEvery == 0, due};
  }

 private:
  const int messages_;
  std::atomic<int64_t> next_ = 0;
};

struct LaneOptions {
  std::vector<std::shared_ptr<grpc::Channel>> channels;  // at least one
  const MessageSet* messages = nullptr;                  // not owned, as the two below
  TicketSource* tickets = nullptr;
  Recorder* recorder = nullptr;
  absl::Duration timeout;
  int in_flight = 0;  // closed loop; 0: open loop
  int streams = 0;    // of a stream lane
};

class Lane {
 public:
  virtual ~Lane() = default;

  // Once, after construction: starts the thread and, in a closed loop, the load.
  virtual void Start() = 0;
  // Open loop: sends without waiting for anything. One thread.
  virtual void Send(const Ticket& ticket) = 0;
  // Requests without an end. Thread-safe, as all below.
  virtual int64_t outstanding() const = 0;
  // Ends what has waited for its timeout and more, where gRPC's deadlines do not.
  virtual void EndLate() {}
  // No more sending; what is outstanding goes on. Not at the same time as Send().
  virtual void Stop() = 0;
  // After Stop(): ends what is outstanding. The thread then ends soon.
  virtual void Cancel() = 0;
  // Whether all has ended after Stop().
  virtual bool done() const = 0;
};

std::unique_ptr<Lane> MakeUnaryLane(const LaneOptions& options);
std::unique_ptr<Lane> MakeStreamLane(const LaneOptions& options);

}  // namespace digit
