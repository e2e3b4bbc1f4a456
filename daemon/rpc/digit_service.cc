#include "daemon/rpc/digit_service.h"

#include <atomic>
#include <memory>
#include <utility>

#include "base/log.h"
#include "daemon/rpc/calls.h"
#include "daemon/rpc/codec.h"
#include "daemon/rpc/deadline.h"
#include "daemon/rpc/recognize_stream.h"
#include "daemon/rpc/status_mapping.h"

namespace digit {
namespace {

using RecognizeMessages = UnaryMessages<v1::RecognizeRequest, v1::RecognizeResponse>;

// One unary call. Deletes itself when gRPC is done with it, which is after Finish().
class RecognizeReactor final : public grpc::ServerUnaryReactor {
 public:
  // `options` must outlive it.
  RecognizeReactor(grpc::CallbackServerContext* context, RecognizeMessages* messages, CallBytes* bytes,
                   const DigitServiceImpl::Options* options)
      : context_(context),
        messages_(messages),
        bytes_(bytes),
        own_bytes_(messages->request()->ByteSizeLong()),
        options_(options),
        arrived_(options->clock->Now()) {}

  void Start(Recognizer* recognizer, SteadyTime deadline) {
    absl::Status fits = bytes_->Take(own_bytes_);
    if (!fits.ok()) return Answer(std::move(fits));
    absl::StatusOr<RecognizeCall> call = DecodeRecognize(*messages_->request());
    if (!call.ok()) return Answer(call.status());
    call->task_class.flow = FlowOf(*context_);
    call->deadline = deadline;
    call->cancelled = cancelled_;
    recognizer->Recognize(*std::move(call), [this](absl::StatusOr<RecognizeResult> result) { Answer(result); });
  }
  void OnCancel() override { cancelled_->store(true, std::memory_order_relaxed); }
  void OnDone() override { delete this; }
  // gRPC would wake one more thread for each call just to run OnDone(), which is too small for that.
  bool InternalInlineable() override { return true; }

 private:
  void Answer(const absl::StatusOr<RecognizeResult>& result) {
    if (result.ok()) {
      EncodeRecognize(*result, messages_->request()->options(), messages_->NewResponse());
      context_->AddTrailingMetadata("digit-timing", FormatTimingLine(*result));
    }
    AddRetryAfter(result.status(), context_);
    grpc::Status status = ToGrpcStatus(result.status());
    const absl::Duration took = options_->clock->Now() - arrived_;
    if (options_->metrics != nullptr) options_->metrics->CountHot(HotMethod::kRecognize, status.error_code(), took);
    if (options_->access_log) {
      LogInfo(FormatAccessLine(AnsweredCallOf("Recognize", *messages_->request(), context_->peer(), took), result,
                               status.error_message()));
    }
    bytes_->Give(own_bytes_);
    messages_->FreeRequest();  // the core is done with it; a client that does not read must not hold it
    Finish(std::move(status));
  }

  grpc::CallbackServerContext* const context_;
  RecognizeMessages* const messages_;
  CallBytes* const bytes_;
  const size_t own_bytes_;
  const DigitServiceImpl::Options* const options_;
  const SteadyTime arrived_;
  const std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace

DigitServiceImpl::DigitServiceImpl(const Options& options, CallBytes* call_bytes, Recognizer* recognizer,
                                   ModelRegistry* registry, ModelLoader* loader, Corrections* corrections,
                                   Trainings* trainings)
    : options_(options),
      call_bytes_(call_bytes),
      recognizer_(recognizer),
      registry_(registry),
      loader_(loader),
      corrections_(corrections),
      trainings_(trainings),
      authorizer_(options.authorizer),
      streams_(options.clock) {
  SetMessageAllocatorFor_Recognize(&allocator_);
}

grpc::ServerUnaryReactor* DigitServiceImpl::Recognize(grpc::CallbackServerContext* context, const v1::RecognizeRequest*,
                                                      v1::RecognizeResponse*) {
  auto* messages = static_cast<RecognizeMessages*>(context->GetRpcAllocatorState());  // allocator_ made it
  auto* reactor = new RecognizeReactor(context, messages, call_bytes_, &options_);
  reactor->Start(recognizer_, DeadlineOf(*context, *options_.clock));
  return reactor;
}

grpc::ServerBidiReactor<v1::RecognizeStreamRequest, v1::RecognizeStreamResponse>* DigitServiceImpl::RecognizeStream(
    grpc::CallbackServerContext* context) {
  const StreamOptions options{.max_unanswered_images = options_.max_unanswered_images,
                              .max_unanswered_bytes = options_.max_unanswered_bytes,
                              .deadline = DeadlineOf(*context, *options_.clock),
                              .clock = options_.clock,
                              .peer = options_.access_log ? context->peer() : "",
                              .metrics = options_.metrics,
                              .streams = &streams_};
  const auto stream = std::make_shared<RecognizeStreamReactor>(options, &slots_, recognizer_);
  streams_.Add(stream);
  return stream.get();
}

}  // namespace digit
