// One unary call that has pictures classified, whatever its messages are: bounds, deadline, cancellation, trailer,
// counters and access log are the same for all of them.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/rpc/calls.h"
#include "daemon/rpc/codec.h"
#include "daemon/rpc/deadline.h"
#include "daemon/rpc/rpc_metrics.h"
#include "daemon/rpc/status_mapping.h"
#include "daemon/rpc/unary_messages.h"
#include "daemon/serving/recognizer.h"

namespace digit {

// What calls of a method share. None owned; all must outlive the calls.
struct PictureCalls {
  HotMethod method;
  CallBytes* bytes;
  Recognizer* recognizer;
  RpcMetrics* metrics;  // null: nothing is counted
  bool access_log;
  const Clock* clock;
};

// Deletes itself when gRPC is done with it, which is after Finish().
template <typename Request, typename Response>
class PictureReactor : public grpc::ServerUnaryReactor {
 public:
  using Messages = UnaryMessages<Request, Response>;

  PictureReactor(grpc::CallbackServerContext* context, const PictureCalls& calls)
      : context_(context),
        messages_(static_cast<Messages*>(context->GetRpcAllocatorState())),  // the service's allocator made it
        calls_(calls),
        own_bytes_(messages_->request()->ByteSizeLong()),
        arrived_(calls.clock->Now()) {}

  void Start() {
    absl::Status fits = calls_.bytes->Take(own_bytes_);
    if (!fits.ok()) return Answer(std::move(fits));
    absl::StatusOr<RecognizeCall> call = Decode(arrived_);
    if (!call.ok()) return Answer(call.status());
    call->task_class.flow = FlowOf(*context_);
    call->deadline = std::min(call->deadline, DeadlineOf(*context_, *calls_.clock));
    call->cancelled = cancelled_;
    calls_.recognizer->Recognize(*std::move(call),
                                 [this](absl::StatusOr<RecognizeResult> result) { Answer(std::move(result)); });
  }
  void OnCancel() override { cancelled_->store(true, std::memory_order_relaxed); }
  void OnDone() override { delete this; }
  // gRPC would wake one more thread for each call just to run OnDone(), which is too small for that.
  bool InternalInlineable() override { return true; }

 protected:
  const Request& request() const { return *messages_->request(); }

 private:
  // The call in the core's terms, but for what Start() knows.
  virtual absl::StatusOr<RecognizeCall> Decode(SteadyTime arrived) = 0;
  virtual absl::Status Encode(const RecognizeResult& result, Response* response) = 0;
  // For the access log.
  virtual AnsweredCall Describe(CallOrigin origin, absl::Duration took) const = 0;

  void Answer(absl::StatusOr<RecognizeResult> result) {
    if (result.ok()) {
      context_->AddTrailingMetadata("digit-timing", FormatTimingLine(*result));
      const absl::Status encoded = Encode(*result, messages_->NewResponse());
      if (!encoded.ok()) result = encoded;
    }
    AddRetryAfter(result.status(), context_);
    grpc::Status status = ToGrpcStatus(result.status());
    const absl::Duration took = calls_.clock->Now() - arrived_;
    if (calls_.metrics != nullptr) calls_.metrics->CountHot(calls_.method, status.error_code(), took);
    if (calls_.access_log) {
      LogInfo(FormatAccessLine(Describe(OriginOf(*context_), took), result, status.error_message()));
    }
    calls_.bytes->Give(own_bytes_);
    messages_->FreeRequest();  // the core is done with it; a client that does not read must not hold it
    Finish(std::move(status));
  }

  grpc::CallbackServerContext* const context_;
  Messages* const messages_;
  const PictureCalls& calls_;
  const size_t own_bytes_;
  const SteadyTime arrived_;
  const std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace digit
