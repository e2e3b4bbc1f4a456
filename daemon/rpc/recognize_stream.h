// One RecognizeStream call.
//
// Each message is recognised on its own and answered in the order of arrival. Reading pauses while
// max_unanswered_images or more are unanswered, so that HTTP/2 flow control holds the sender back. Errors of a message
// are answers; the stream ends when the client or the transport ends it, or by EndIfIdle(). Deletes itself when gRPC
// is done with it, which is after every recognition it started has called back.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>

#include "base/mutex.h"
#include "daemon/serving/recognizer.h"
#include "digit/v1/digit.grpc.pb.h"

namespace digit {

class RecognizeStreamReactor final
    : public grpc::ServerBidiReactor<v1::RecognizeStreamRequest, v1::RecognizeStreamResponse> {
 public:
  struct Options {
    int max_unanswered_images = 256;
    FlowId flow = 0;                                       // of this stream
    SteadyTime deadline = SteadyTime::InfiniteFuture();    // of the RPC
    const Clock* clock = SteadyClock();                    // not owned
    std::function<void(RecognizeStreamReactor*)> on_done;  // the last call before it deletes itself
  };
  RecognizeStreamReactor(const Options& options, Recognizer* recognizer);  // not owned

  void Start() { StartRead(&incoming_); }

  // Ends the stream with UNAVAILABLE unless something is unanswered or has come or gone since `since`: when a server
  // drains, a stream that nobody uses must not hold it up. A message that is on its way is then not read; the client
  // knows from the status that it was not answered.
  void EndIfIdle(SteadyTime since) ABSL_LOCKS_EXCLUDED(mu_);

  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override { cancelled_->store(true, std::memory_order_relaxed); }
  void OnDone() override;

 private:
  // A message and its answer. Stays in `slots_` until it has been written.
  struct Slot {
    v1::RecognizeStreamRequest request;
    v1::RecognizeStreamResponse response;
    int weight = 0;  // images, at least 1: messages without any must have a bound too
    bool answered = false;
  };
  // What to start once the lock is released.
  struct Next {
    bool read = false;
    const v1::RecognizeStreamResponse* write = nullptr;
    bool finish = false;
  };

  void Recognize(Slot* slot);
  void Answer(Slot* slot, absl::StatusOr<RecognizeResult> result) ABSL_LOCKS_EXCLUDED(mu_);
  Next Decide() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Run(const Next& next);

  const Options options_;
  Recognizer* const recognizer_;
  const std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
  v1::RecognizeStreamRequest incoming_;  // owned by gRPC while a read is under way

  Mutex mu_;
  std::deque<std::unique_ptr<Slot>> slots_ ABSL_GUARDED_BY(mu_);  // in order of arrival
  int unanswered_ ABSL_GUARDED_BY(mu_) = 0;
  bool reading_ ABSL_GUARDED_BY(mu_) = true;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool read_all_ ABSL_GUARDED_BY(mu_) = false;
  bool broken_ ABSL_GUARDED_BY(mu_) = false;  // a write failed: answers are dropped
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  SteadyTime last_active_ ABSL_GUARDED_BY(mu_);
};

}  // namespace digit
