// A bidirectional stream whose messages are recognised on their own and answered in the order of arrival.
//
// Reading pauses while max_unanswered_images or more are unanswered, or max_unanswered_bytes or more, so that HTTP/2
// flow control holds the sender back. Errors of a message are answers; the stream ends when the client or the transport
// ends it, or by EndIfIdle(). Answers that are ready leave together: gRPC is told not to flush one whose
// successor is ready.
//
// Threads: gRPC's, and whoever answers. Kept by OpenStreams until OnDone(), which is after every recognition it started
// has called back.
#pragma once

#include <algorithm>
#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "base/mutex.h"
#include "daemon/batching/task.h"
#include "daemon/rpc/arena_message.h"
#include "daemon/rpc/calls.h"
#include "daemon/rpc/codec.h"
#include "daemon/rpc/free_list.h"
#include "daemon/rpc/open_streams.h"
#include "daemon/rpc/rpc_metrics.h"
#include "grpcpp/support/server_callback.h"

namespace digit {

// A message of a stream and its answer.
template <typename Request, typename Response>
struct StreamSlot {
  ArenaMessage<Request, 1 << 10> request;  // until it is answered
  ArenaMessage<Response, 16 << 10> response;
  SteadyTime arrived;
  int images = 0;    // at least 1: messages without any must have a bound too
  size_t bytes = 0;  // of the request
  bool answered = false;
};

struct StreamOptions {
  int max_unanswered_images = 256;
  size_t max_unanswered_bytes = 16 << 20;              // of requests
  SteadyTime deadline = SteadyTime::InfiniteFuture();  // of the RPC
  const Clock* clock = SteadyClock();                  // not owned
  CallOrigin origin;                                   // for the access log; no peer: do not write it
  RpcMetrics* metrics = nullptr;                       // not owned; null: nothing is counted
  OpenStreams* streams = nullptr;                      // not owned; keeps it
};

template <typename Request, typename Response>
class OrderedStream : public grpc::ServerBidiReactor<Request, Response>, public OpenStream {
 public:
  using Slot = StreamSlot<Request, Response>;

  void Start() final {
    Advance([] {});
  }
  void EndIfIdle(SteadyTime since) final ABSL_LOCKS_EXCLUDED(mu_);
  void StopReading() final {
    MutexLock lock(&mu_);
    reading_stopped_ = true;
  }

  void OnReadDone(bool ok) final;
  void OnWriteDone(bool ok) final;
  void OnCancel() final { cancelled_->store(true, std::memory_order_relaxed); }
  void OnDone() final { options_.streams->Forget(this); }

 protected:
  // `slots`: not owned; shared by all streams of a kind.
  OrderedStream(const StreamOptions& options, FreeList<Slot>* slots)
      : options_(options), slots_of_all_(slots), last_active_(options.clock->Now()) {}

  // Recognises the slot's request: first SetImages(), in the end Answered(), on any thread.
  virtual void Recognize(Slot* slot) = 0;

  void SetImages(Slot* slot, int images) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(&mu_);
    slot->images = std::max(1, images);
    unanswered_images_ += slot->images;
  }
  // The response is filled in; the request is dropped.
  void Answered(Slot* slot) {
    slot->request.Drop();
    Advance([this, slot]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      slot->answered = true;
      unanswered_bytes_ -= slot->bytes;
    });
  }

  const StreamOptions& options() const { return options_; }
  FlowId flow() const { return flow_; }
  // Set when the caller has gone.
  const std::shared_ptr<std::atomic<bool>>& cancelled() const { return cancelled_; }

 private:
  // What to start once the lock is released.
  struct Next {
    bool read = false;
    const Response* write = nullptr;
    bool more_follows = false;  // OnWriteDone() will start another write at once
    bool finish = false;
    bool read_all = false;  // with `finish`: the client had said that it was done
  };

  // Changes something under the lock, and does what follows from it.
  template <typename Change>
  void Advance(const Change& change) ABSL_LOCKS_EXCLUDED(mu_) {
    Next next;
    {
      MutexLock lock(&mu_);
      change();
      next = Decide();
    }
    Run(next);
  }
  Next Decide() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Run(Next next) ABSL_LOCKS_EXCLUDED(mu_);
  std::unique_ptr<Slot> TakeFirst() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const StreamOptions options_;
  FreeList<Slot>* const slots_of_all_;
  const FlowId flow_ = NextStreamFlow();
  const std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
  std::unique_ptr<Slot> incoming_;  // belongs to the read that is under way

  Mutex mu_;
  std::deque<std::unique_ptr<Slot>> slots_ ABSL_GUARDED_BY(mu_);  // in order of arrival, until written
  int unanswered_images_ ABSL_GUARDED_BY(mu_) = 0;                // read and not yet written
  size_t unanswered_bytes_ ABSL_GUARDED_BY(mu_) = 0;              // of requests that are still needed
  int starting_ ABSL_GUARDED_BY(mu_) = 0;                         // threads in Run() that start operations
  bool reading_ ABSL_GUARDED_BY(mu_) = false;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool written_any_ ABSL_GUARDED_BY(mu_) = false;
  bool read_all_ ABSL_GUARDED_BY(mu_) = false;
  bool reading_stopped_ ABSL_GUARDED_BY(mu_) = false;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  bool broken_ ABSL_GUARDED_BY(mu_) = false;  // a write failed: answers are dropped
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  SteadyTime last_active_ ABSL_GUARDED_BY(mu_);
};

template <typename Request, typename Response>
void OrderedStream<Request, Response>::OnReadDone(bool ok) {
  Slot* slot = nullptr;
  if (ok) {
    incoming_->bytes = incoming_->request.get()->ByteSizeLong();
    MutexLock lock(&mu_);
    if (finished_) return;
    incoming_->arrived = last_active_ = options_.clock->Now();
    slot = slots_.emplace_back(std::move(incoming_)).get();
    unanswered_bytes_ += slot->bytes;
  }
  if (slot != nullptr) Recognize(slot);  // may answer before it returns
  Advance([this, ok]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    reading_ = false;
    if (!ok) read_all_ = true;
  });
}

template <typename Request, typename Response>
void OrderedStream<Request, Response>::OnWriteDone(bool ok) {
  std::unique_ptr<Slot> written;
  Next next;
  {
    MutexLock lock(&mu_);
    writing_ = false;
    written_any_ = true;
    last_active_ = options_.clock->Now();
    if (!ok) broken_ = true;
    written = TakeFirst();
    next = Decide();
  }
  written->response.Drop();
  slots_of_all_->Give(std::move(written));
  Run(next);
}

template <typename Request, typename Response>
void OrderedStream<Request, Response>::EndIfIdle(SteadyTime since) {
  Next next;
  {
    MutexLock lock(&mu_);
    if (!slots_.empty() || last_active_ > since) return;
    ending_ = true;
    next = Decide();
  }
  Run(next);
}

template <typename Request, typename Response>
auto OrderedStream<Request, Response>::TakeFirst() -> std::unique_ptr<Slot> {
  std::unique_ptr<Slot> first = std::move(slots_.front());
  slots_.pop_front();
  unanswered_images_ -= first->images;
  first->answered = false;
  return first;
}

template <typename Request, typename Response>
auto OrderedStream<Request, Response>::Decide() -> Next {
  Next next;
  if (finished_) return next;
  while (broken_ && !writing_ && !slots_.empty() && slots_.front()->answered) TakeFirst();
  if (!writing_ && !slots_.empty() && slots_.front()->answered) {
    writing_ = true;
    next.write = slots_.front()->response.get();
    // Not for the first: it takes the initial metadata along, and gRPC 1.51 completes it only when that was flushed.
    next.more_follows = written_any_ && slots_.size() > 1 && slots_[1]->answered;
  }
  if (!reading_ && !read_all_ && !reading_stopped_ && !ending_ && unanswered_images_ < options_.max_unanswered_images &&
      unanswered_bytes_ < options_.max_unanswered_bytes) {
    reading_ = true;
    next.read = true;
  }
  // A read that is under way does not keep a stream that is ending: nothing may ever come. Nor does `this` survive
  // Finish() for long, so nobody may be about to start an operation.
  const bool read_enough = ending_ || (read_all_ && !reading_);
  if (read_enough && slots_.empty() && starting_ == 0) {
    finished_ = true;
    next.finish = true;
    next.read_all = read_all_;
  } else if (next.write != nullptr || next.read) {
    ++starting_;
  }
  return next;
}

// Starts operations outside the lock, as their reactions may run inside: `starting_` keeps the stream alive meanwhile.
template <typename Request, typename Response>
void OrderedStream<Request, Response>::Run(Next next) {
  while (next.write != nullptr || next.read) {
    if (next.write != nullptr) {
      grpc::WriteOptions options;
      if (next.more_follows) options.set_buffer_hint();
      this->StartWrite(next.write, options);
    }
    if (next.read) {
      incoming_ = slots_of_all_->Take();
      this->StartRead(incoming_->request.New());
    }
    MutexLock lock(&mu_);
    --starting_;
    next = Decide();
  }
  if (!next.finish) return;
  this->Finish(next.read_all ? grpc::Status::OK
                             : grpc::Status(grpc::StatusCode::UNAVAILABLE,
                                            "the server is stopping; send again what has no answer"));
}

}  // namespace digit
