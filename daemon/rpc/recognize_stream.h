// One RecognizeStream call.
//
// Each message is recognised on its own and answered in the order of arrival. Reading pauses while
// max_unanswered_images or more are unanswered, or max_unanswered_bytes or more, so that HTTP/2 flow control holds the
// sender back. Errors of a message are answers; the stream ends when the client or the transport ends it, or by
// EndIfIdle() or End(). Answers that are ready leave together: gRPC is told not to flush one whose successor is ready.
//
// Threads: gRPC's, and whoever answers. Owned by whoever made it and alive until on_done has run, which is after every
// recognition it started has called back.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "daemon/rpc/arena_message.h"
#include "daemon/rpc/free_list.h"
#include "daemon/rpc/rpc_metrics.h"
#include "daemon/serving/recognizer.h"
#include "digit/v1/digit.grpc.pb.h"

namespace digit {

// A message of a stream and its answer.
struct StreamSlot {
  ArenaMessage<v1::RecognizeStreamRequest, 1 << 10> request;  // until it is answered
  ArenaMessage<v1::RecognizeStreamResponse, 16 << 10> response;
  SteadyTime arrived;
  int images = 0;    // at least 1: messages without any must have a bound too
  size_t bytes = 0;  // of the request
  bool answered = false;
};

class RecognizeStreamReactor final
    : public grpc::ServerBidiReactor<v1::RecognizeStreamRequest, v1::RecognizeStreamResponse> {
 public:
  struct Options {
    int max_unanswered_images = 256;
    size_t max_unanswered_bytes = 16 << 20;                // of requests
    FlowId flow = 0;                                       // of this stream
    SteadyTime deadline = SteadyTime::InfiniteFuture();    // of the RPC
    const Clock* clock = SteadyClock();                    // not owned
    std::string peer;                                      // for the access log; empty: do not write it
    RpcMetrics* metrics = nullptr;                         // not owned; null: nothing is counted
    FreeList<StreamSlot>* slots = nullptr;                 // not owned; shared by all streams
    std::function<void(RecognizeStreamReactor*)> on_done;  // deletes it
  };
  RecognizeStreamReactor(const Options& options, Recognizer* recognizer);  // not owned

  void Start() ABSL_LOCKS_EXCLUDED(mu_);

  // Ends the stream with UNAVAILABLE unless something is unanswered or has come or gone since `since`: when a server
  // drains, a stream that nobody uses must not hold it up. A message that is on its way is then not read; the client
  // knows from the status that it was not answered.
  void EndIfIdle(SteadyTime since) ABSL_LOCKS_EXCLUDED(mu_);
  // Reads no more, and ends the stream with UNAVAILABLE once everything that was read has been answered.
  void End() ABSL_LOCKS_EXCLUDED(mu_);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override { cancelled_->store(true, std::memory_order_relaxed); }
  void OnDone() override { options_.on_done(this); }

 private:
  // What to start once the lock is released.
  struct Next {
    bool read = false;
    const v1::RecognizeStreamResponse* write = nullptr;
    bool more_follows = false;  // OnWriteDone() will start another write at once
    bool finish = false;
    bool read_all = false;  // with `finish`: the client had said that it was done
  };

  void Recognize(StreamSlot* slot);
  void Answer(StreamSlot* slot, const absl::StatusOr<RecognizeResult>& result) ABSL_LOCKS_EXCLUDED(mu_);
  Next Decide() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Run(Next next) ABSL_LOCKS_EXCLUDED(mu_);
  std::unique_ptr<StreamSlot> TakeFirst() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Options options_;
  Recognizer* const recognizer_;
  const std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
  std::unique_ptr<StreamSlot> incoming_;  // belongs to the read that is under way

  Mutex mu_;
  std::deque<std::unique_ptr<StreamSlot>> slots_ ABSL_GUARDED_BY(mu_);  // in order of arrival, until written
  int unanswered_images_ ABSL_GUARDED_BY(mu_) = 0;                      // read and not yet written
  size_t unanswered_bytes_ ABSL_GUARDED_BY(mu_) = 0;                    // of requests that are still needed
  int starting_ ABSL_GUARDED_BY(mu_) = 0;                               // threads in Run() that start operations
  bool reading_ ABSL_GUARDED_BY(mu_) = false;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool written_any_ ABSL_GUARDED_BY(mu_) = false;
  bool read_all_ ABSL_GUARDED_BY(mu_) = false;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  bool broken_ ABSL_GUARDED_BY(mu_) = false;  // a write failed: answers are dropped
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  SteadyTime last_active_ ABSL_GUARDED_BY(mu_);
};

}  // namespace digit
