#include "daemon/rpc/oip/inference_service.h"

#include <memory>
#include <utility>

#include "base/status.h"
#include "daemon/rpc/deadline.h"
#include "daemon/rpc/oip/tensor_codec.h"
#include "daemon/rpc/picture_reactor.h"

namespace digit {
namespace {

class InferReactor final : public PictureReactor<inference::ModelInferRequest, inference::ModelInferResponse> {
 public:
  InferReactor(grpc::CallbackServerContext* context, const PictureCalls& calls, int max_images_per_call)
      : PictureReactor(context, calls), max_images_per_call_(max_images_per_call) {}

 private:
  absl::StatusOr<RecognizeCall> Decode(SteadyTime arrived) override {
    ASSIGN_OR_RETURN(call_, DecodeInfer(request(), max_images_per_call_));
    num_images_ = Recognizer::CountImages(call_.recognize);
    call_.recognize.deadline = arrived + call_.timeout;
    return std::move(call_.recognize);
  }
  absl::Status Encode(const RecognizeResult& result, inference::ModelInferResponse* response) override {
    return EncodeInfer(result, call_.form, request().id(), response);
  }
  AnsweredCall Describe(CallOrigin origin, absl::Duration took) const override {
    return {"ModelInfer", request().model_name(), request().model_version(), num_images_, std::move(origin), took};
  }

  const int max_images_per_call_;
  InferCall call_;  // its pixels are read until the answer
  size_t num_images_ = 0;
};

}  // namespace

InferenceServiceImpl::InferenceServiceImpl(const Options& options, CallBytes* call_bytes, Recognizer* recognizer,
                                           ModelRegistry* registry, ModelLoader* loader)
    : options_(options),
      picture_calls_{.method = HotMethod::kModelInfer,
                     .bytes = call_bytes,
                     .recognizer = recognizer,
                     .metrics = options.metrics,
                     .access_log = options.access_log,
                     .clock = options.clock},
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
  auto* reactor = new InferReactor(context, picture_calls_, options_.max_images_per_call);
  reactor->Start();
  return reactor;
}

grpc::ServerBidiReactor<inference::ModelInferRequest, inference::ModelStreamInferResponse>*
InferenceServiceImpl::ModelStreamInfer(grpc::CallbackServerContext* context) {
  const StreamOptions options{.max_unanswered_images = options_.max_unanswered_images,
                              .max_unanswered_bytes = options_.max_unanswered_bytes,
                              .deadline = DeadlineOf(*context, *options_.clock),
                              .clock = options_.clock,
                              .origin = options_.access_log ? OriginOf(*context) : CallOrigin{},
                              .metrics = options_.metrics,
                              .streams = &streams_};
  const auto stream = std::make_shared<InferStreamReactor>(options, &slots_, recognizer_, options_.max_images_per_call);
  streams_.Add(stream);
  return stream.get();
}

}  // namespace digit
