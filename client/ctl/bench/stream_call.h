// One stream of a benchmark: keeps its messages in order, reads the answers, opens again when it breaks.
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "client/ctl/bench/lane.h"

namespace digit {

// Thread-safe. gRPC takes one write at a time, so what is due waits in line; answers come in the order of the messages.
class StreamCall {
 public:
  // All must outlive the call. `in_flight` is this stream's share of a closed loop; 0: open loop. `outstanding` is
  // shared by the streams of a lane.
  StreamCall(const std::shared_ptr<grpc::Channel>& channel, grpc::CompletionQueue* queue, const LaneOptions& options,
             int in_flight, std::atomic<int64_t>* outstanding);

  // What the queue returns: which operation of which stream.
  enum class Op { kStart, kRead, kWrite, kWritesDone, kFinish, kReopen };
  struct Tag {
    StreamCall* stream;
    Op op;
  };

  void Open();
  void Send(const Ticket& ticket);
  void Handle(Op op, bool ok);
  void EndIfLate(Steady::time_point now);
  void Stop();
  void Cancel();
  bool closed() const;

 private:
  enum class State { kOpening, kOpen, kFinishing, kBroken, kClosed };
  struct Unanswered {
    Ticket ticket;
    uint64_t id;
  };

  void OpenLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Accept() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // One more request of the closed loop.
  void AddNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Finished() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void FailAll(int code, const std::string& message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RestOrClose() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void* TagOf(Op op) { return &tags_[static_cast<int>(op)]; }

  const LaneOptions& options_;
  const int in_flight_;
  std::atomic<int64_t>* const outstanding_;
  grpc::CompletionQueue* const queue_;
  Tag tags_[6];
  grpc::GenericStub stub_;

  mutable Mutex mu_;
  State state_ ABSL_GUARDED_BY(mu_) = State::kClosed;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool half_closed_ ABSL_GUARDED_BY(mu_) = false;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool late_ ABSL_GUARDED_BY(mu_) = false;  // we cancelled it, because it had not answered in time
  uint64_t next_id_ ABSL_GUARDED_BY(mu_) = 1;
  std::deque<Ticket> waiting_ ABSL_GUARDED_BY(mu_);
  std::deque<Unanswered> unanswered_ ABSL_GUARDED_BY(mu_);
  std::optional<grpc::ClientContext> context_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> stream_ ABSL_GUARDED_BY(mu_);
  grpc::ByteBuffer incoming_ ABSL_GUARDED_BY(mu_);
  v1::RecognizeStreamResponse response_ ABSL_GUARDED_BY(mu_);
  grpc::Status status_ ABSL_GUARDED_BY(mu_);
  grpc::Alarm rest_ ABSL_GUARDED_BY(mu_);
};

}  // namespace digit
