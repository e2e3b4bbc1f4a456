#include "daemon/rpc/digit_service.h"

#include <atomic>
#include <memory>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "base/build_info.h"
#include "base/retry_after.h"
#include "daemon/rpc/codec.h"
#include "daemon/rpc/deadline.h"
#include "daemon/rpc/recognize_stream.h"
#include "daemon/rpc/status_mapping.h"

namespace digit {
namespace {

constexpr FlowId kConnectionFlow = FlowId{1} << 63;  // set for connections, not for streams

// Unary calls of one connection are one flow.
FlowId FlowOf(const grpc::CallbackServerContext& context) { return absl::HashOf(context.peer()) | kConnectionFlow; }

// One unary call. Deletes itself when gRPC is done with it, which is after Finish().
class RecognizeReactor final : public grpc::ServerUnaryReactor {
 public:
  void Start(Recognizer* recognizer, SteadyTime deadline, grpc::CallbackServerContext* context,
             const v1::RecognizeRequest* request, v1::RecognizeResponse* response) {
    RecognizeCall call = DecodeRecognize(*request);
    call.task_class.flow = FlowOf(*context);
    call.deadline = deadline;
    call.cancelled = cancelled_;
    recognizer->Recognize(std::move(call), [this, context, request, response](absl::StatusOr<RecognizeResult> result) {
      if (result.ok()) {
        EncodeRecognize(*result, request->options(), response);
        context->AddTrailingMetadata("digit-timing", FormatTimingLine(*result));
      } else if (const auto retry_after = RetryAfterOf(result.status())) {
        context->AddTrailingMetadata(kRetryPushback, absl::StrCat(absl::ToInt64Milliseconds(*retry_after)));
      }
      Finish(ToGrpcStatus(result.status()));
    });
  }
  void OnCancel() override { cancelled_->store(true, std::memory_order_relaxed); }
  void OnDone() override { delete this; }
  // gRPC would wake one more thread for each call just to run OnDone(), which is too small for that.
  bool InternalInlineable() override { return true; }

 private:
  const std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace

DigitServiceImpl::DigitServiceImpl(const Options& options, Recognizer* recognizer, const ModelRegistry* registry)
    : options_(options), recognizer_(recognizer), registry_(registry) {}

grpc::ServerUnaryReactor* DigitServiceImpl::Recognize(grpc::CallbackServerContext* context,
                                                      const v1::RecognizeRequest* request,
                                                      v1::RecognizeResponse* response) {
  auto* reactor = new RecognizeReactor;
  reactor->Start(recognizer_, DeadlineOf(*context, *options_.clock), context, request, response);
  return reactor;
}

grpc::ServerBidiReactor<v1::RecognizeStreamRequest, v1::RecognizeStreamResponse>* DigitServiceImpl::RecognizeStream(
    grpc::CallbackServerContext* context) {
  static std::atomic<FlowId> next_stream{0};
  auto* stream = new RecognizeStreamReactor({.max_unanswered_images = options_.max_unanswered_images,
                                             .flow = next_stream.fetch_add(1) & ~kConnectionFlow,
                                             .deadline = DeadlineOf(*context, *options_.clock),
                                             .clock = options_.clock,
                                             .on_done =
                                                 [this](RecognizeStreamReactor* done) {
                                                   MutexLock lock(&mu_);
                                                   streams_.erase(done);
                                                 }},
                                            recognizer_);
  {
    MutexLock lock(&mu_);
    streams_.insert(stream);
  }
  stream->Start();
  return stream;
}

void DigitServiceImpl::EndIdleStreams(absl::Duration idle_for) {
  const SteadyTime since = options_.clock->Now() - idle_for;
  MutexLock lock(&mu_);
  for (RecognizeStreamReactor* stream : streams_) stream->EndIfIdle(since);
}

grpc::ServerUnaryReactor* DigitServiceImpl::ListModels(grpc::CallbackServerContext* context,
                                                       const v1::ListModelsRequest*, v1::ListModelsResponse* response) {
  response->set_server_version(Version());
  const std::string default_name = registry_->default_name();
  for (const ModelHandle& model : registry_->List()) {
    EncodeModel(*model, model->name == default_name, response->add_models());
  }
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerUnaryReactor* DigitServiceImpl::GetModel(grpc::CallbackServerContext* context,
                                                     const v1::GetModelRequest* request,
                                                     v1::GetModelResponse* response) {
  const absl::StatusOr<ModelHandle> model = registry_->Find(request->model(), "");
  if (model.ok()) EncodeModel(**model, (*model)->name == registry_->default_name(), response->mutable_model());
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpcStatus(model.status()));
  return reactor;
}

}  // namespace digit
