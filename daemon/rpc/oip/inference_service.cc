#include "daemon/rpc/oip/inference_service.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/log.h"
#include "daemon/rpc/codec.h"
#include "daemon/rpc/deadline.h"
#include "daemon/rpc/oip/tensor_codec.h"
#include "daemon/rpc/status_mapping.h"

namespace digit {
namespace {

using InferMessages = UnaryMessages<inference::ModelInferRequest, inference::ModelInferResponse>;

// One ModelInfer call. Deletes itself when gRPC is done with it, which is after Finish().
class InferReactor final : public grpc::ServerUnaryReactor {
 public:
  // `options` must outlive it.
  InferReactor(grpc::CallbackServerContext* context, InferMessages* messages, CallBytes* bytes,
               const InferenceServiceImpl::Options* options)
      : context_(context),
        messages_(messages),
        bytes_(bytes),
        own_bytes_(messages->request()->ByteSizeLong()),
        options_(options),
        arrived_(options->clock->Now()) {}

  void Start(Recognizer* recognizer) {
    absl::Status fits = bytes_->Take(own_bytes_);
    if (!fits.ok()) return Answer(std::move(fits));
    absl::StatusOr<InferCall> call = DecodeInfer(*messages_->request(), options_->max_images_per_call);
    if (!call.ok()) return Answer(call.status());
    call_ = *std::move(call);
    num_images_ = Recognizer::CountImages(call_.recognize);
    call_.recognize.task_class.flow = FlowOf(*context_);
    call_.recognize.deadline = std::min(DeadlineOf(*context_, *options_->clock), arrived_ + call_.timeout);
    call_.recognize.cancelled = cancelled_;
    recognizer->Recognize(std::move(call_.recognize),
                          [this](absl::StatusOr<RecognizeResult> result) { Answer(std::move(result)); });
  }
  void OnCancel() override { cancelled_->store(true, std::memory_order_relaxed); }
  void OnDone() override { delete this; }
  // gRPC would wake one more thread for each call just to run OnDone(), which is too small for that.
  bool InternalInlineable() override { return true; }

 private:
  void Answer(absl::StatusOr<RecognizeResult> result) {
    const inference::ModelInferRequest& request = *messages_->request();
    if (result.ok()) {
      context_->AddTrailingMetadata("digit-timing", FormatTimingLine(*result));
      const absl::Status encoded = EncodeInfer(*result, call_.form, request.id(), messages_->NewResponse());
      if (!encoded.ok()) result = encoded;
    }
    AddRetryAfter(result.status(), context_);
    grpc::Status status = ToGrpcStatus(result.status());
    const absl::Duration took = options_->clock->Now() - arrived_;
    if (options_->metrics != nullptr) options_->metrics->CountHot(HotMethod::kModelInfer, status.error_code(), took);
    if (options_->access_log) {
      LogInfo(FormatAccessLine(
          {"ModelInfer", request.model_name(), request.model_version(), num_images_, context_->peer(), took}, result,
          status.error_message()));
    }
    bytes_->Give(own_bytes_);
    messages_->FreeRequest();  // the core is done with it; a client that does not read must not hold it
    Finish(std::move(status));
  }

  grpc::CallbackServerContext* const context_;
  InferMessages* const messages_;
  CallBytes* const bytes_;
  const size_t own_bytes_;
  const InferenceServiceImpl::Options* const options_;
  const SteadyTime arrived_;
  const std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
  InferCall call_;
  size_t num_images_ = 0;
};

}  // namespace

InferenceServiceImpl::InferenceServiceImpl(const Options& options, CallBytes* call_bytes, Recognizer* recognizer,
                                           ModelRegistry* registry, ModelLoader* loader)
    : options_(options),
      call_bytes_(call_bytes),
      recognizer_(recognizer),
      registry_(registry),
      loader_(loader),
      authorizer_(options.authorizer),
      streams_(options.clock) {
  SetMessageAllocatorFor_ModelInfer(&allocator_);
}

grpc::ServerUnaryReactor* InferenceServiceImpl::ModelInfer(grpc::CallbackServerContext* context,
                                                           const inference::ModelInferRequest*,
                                                           inference::ModelInferResponse*) {
  auto* messages = static_cast<InferMessages*>(context->GetRpcAllocatorState());  // allocator_ made it
  auto* reactor = new InferReactor(context, messages, call_bytes_, &options_);
  reactor->Start(recognizer_);
  return reactor;
}

grpc::ServerBidiReactor<inference::ModelInferRequest, inference::ModelStreamInferResponse>*
InferenceServiceImpl::ModelStreamInfer(grpc::CallbackServerContext* context) {
  const StreamOptions options{.max_unanswered_images = options_.max_unanswered_images,
                              .max_unanswered_bytes = options_.max_unanswered_bytes,
                              .deadline = DeadlineOf(*context, *options_.clock),
                              .clock = options_.clock,
                              .peer = options_.access_log ? context->peer() : "",
                              .metrics = options_.metrics,
                              .streams = &streams_};
  const auto stream = std::make_shared<InferStreamReactor>(options, &slots_, recognizer_, options_.max_images_per_call);
  streams_.Add(stream);
  return stream.get();
}

}  // namespace digit
