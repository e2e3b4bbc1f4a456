#include "daemon/rpc/digit_service.h"

#include <memory>
#include <utility>

#include "daemon/rpc/calls.h"
#include "daemon/rpc/codec.h"
#include "daemon/rpc/deadline.h"
#include "daemon/rpc/picture_reactor.h"
#include "daemon/rpc/recognize_stream.h"
#include "daemon/rpc/status_mapping.h"

namespace digit {
namespace {

class RecognizeReactor final : public PictureReactor<v1::RecognizeRequest, v1::RecognizeResponse> {
 public:
  using PictureReactor::PictureReactor;

 private:
  absl::StatusOr<RecognizeCall> Decode(SteadyTime) override { return DecodeRecognize(request()); }
  absl::Status Encode(const RecognizeResult& result, v1::RecognizeResponse* response) override {
    EncodeRecognize(result, request().options(), response);
    return absl::OkStatus();
  }
  AnsweredCall Describe(CallOrigin origin, absl::Duration took) const override {
    return AnsweredCallOf("Recognize", request(), std::move(origin), took);
  }
};

}  // namespace

DigitServiceImpl::DigitServiceImpl(const Options& options, CallBytes* call_bytes, Recognizer* recognizer,
                                   ModelRegistry* registry, ModelLoader* loader, Corrections* corrections,
                                   Trainings* trainings)
    : options_(options),
      picture_calls_{.method = HotMethod::kRecognize,
                     .bytes = call_bytes,
                     .recognizer = recognizer,
                     .metrics = options.metrics,
                     .access_log = options.access_log,
                     .clock = options.clock},
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
  auto* reactor = new RecognizeReactor(context, picture_calls_);
  reactor->Start();
  return reactor;
}

grpc::ServerBidiReactor<v1::RecognizeStreamRequest, v1::RecognizeStreamResponse>* DigitServiceImpl::RecognizeStream(
    grpc::CallbackServerContext* context) {
  const StreamOptions options{.max_unanswered_images = options_.max_unanswered_images,
                              .max_unanswered_bytes = options_.max_unanswered_bytes,
                              .deadline = DeadlineOf(*context, *options_.clock),
                              .clock = options_.clock,
                              .origin = options_.access_log ? OriginOf(*context) : CallOrigin{},
                              .metrics = options_.metrics,
                              .streams = &streams_};
  const auto stream = std::make_shared<RecognizeStreamReactor>(options, &slots_, recognizer_);
  streams_.Add(stream);
  return stream.get();
}

}  // namespace digit
