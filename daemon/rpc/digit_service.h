// digit.v1.DigitService over gRPC's callback API: decode, call the core, encode.
//
// Threads: gRPC's; answers are finished on decode and executor threads. Holds no state but the list
// of open streams and recycled messages.
#pragma once

#include "daemon/registry/model_loader.h"
#include "daemon/registry/model_registry.h"
#include "daemon/rpc/authorizer.h"
#include "daemon/rpc/calls.h"
#include "daemon/rpc/picture_reactor.h"
#include "daemon/rpc/recognize_stream.h"
#include "daemon/rpc/rpc_metrics.h"
#include "daemon/rpc/unary_messages.h"
#include "daemon/serving/corrections.h"
#include "daemon/serving/recognizer.h"
#include "daemon/training/trainings.h"
#include "digit/v1/digit.grpc.pb.h"

namespace digit {

class DigitServiceImpl final : public v1::DigitService::CallbackService {
 public:
  struct Options {
    int max_unanswered_images = 256;         // per stream; from here on the stream is not read
    size_t max_unanswered_bytes = 16 << 20;  // the same; a stream may hold one message more
    bool access_log = false;                 // one line for each answered call and stream message
    RpcMetrics* metrics = nullptr;           // not owned; null: nothing is counted
    Authorizer::Options authorizer;
    const Clock* clock = SteadyClock();  // not owned
  };
  // None owned. `call_bytes`: of all Recognize and SubmitFeedback requests, and what else shares the bound.
  DigitServiceImpl(const Options& options, CallBytes* call_bytes, Recognizer* recognizer, ModelRegistry* registry,
                   ModelLoader* loader, Corrections* corrections, Trainings* trainings);

  OpenStreams& streams() { return streams_; }

  grpc::ServerUnaryReactor* Recognize(grpc::CallbackServerContext* context, const v1::RecognizeRequest* request,
                                      v1::RecognizeResponse* response) override;
  grpc::ServerBidiReactor<v1::RecognizeStreamRequest, v1::RecognizeStreamResponse>* RecognizeStream(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context, const v1::ListModelsRequest* request,
                                       v1::ListModelsResponse* response) override;
  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context, const v1::GetModelRequest* request,
                                     v1::GetModelResponse* response) override;
  grpc::ServerUnaryReactor* ReloadModel(grpc::CallbackServerContext* context, const v1::ReloadModelRequest* request,
                                        v1::ReloadModelResponse* response) override;
  grpc::ServerUnaryReactor* RollbackModel(grpc::CallbackServerContext* context, const v1::RollbackModelRequest* request,
                                          v1::RollbackModelResponse* response) override;
  grpc::ServerUnaryReactor* PromoteModel(grpc::CallbackServerContext* context, const v1::PromoteModelRequest* request,
                                         v1::PromoteModelResponse* response) override;
  grpc::ServerUnaryReactor* ShadowModel(grpc::CallbackServerContext* context, const v1::ShadowModelRequest* request,
                                        v1::ShadowModelResponse* response) override;
  grpc::ServerWriteReactor<v1::TrainResponse>* Train(grpc::CallbackServerContext* context,
                                                     const v1::TrainRequest* request) override;
  grpc::ServerWriteReactor<v1::WatchTrainingResponse>* WatchTraining(grpc::CallbackServerContext* context,
                                                                     const v1::WatchTrainingRequest* request) override;
  grpc::ServerUnaryReactor* CancelTraining(grpc::CallbackServerContext* context,
                                           const v1::CancelTrainingRequest* request,
                                           v1::CancelTrainingResponse* response) override;
  grpc::ServerUnaryReactor* ListTrainings(grpc::CallbackServerContext* context, const v1::ListTrainingsRequest* request,
                                          v1::ListTrainingsResponse* response) override;
  grpc::ServerUnaryReactor* SubmitFeedback(grpc::CallbackServerContext* context,
                                           const v1::SubmitFeedbackRequest* request,
                                           v1::SubmitFeedbackResponse* response) override;
  grpc::ServerUnaryReactor* ListFeedback(grpc::CallbackServerContext* context, const v1::ListFeedbackRequest* request,
                                         v1::ListFeedbackResponse* response) override;
  grpc::ServerUnaryReactor* ReviewFeedback(grpc::CallbackServerContext* context,
                                           const v1::ReviewFeedbackRequest* request,
                                           v1::ReviewFeedbackResponse* response) override;
  grpc::ServerUnaryReactor* GetModelStats(grpc::CallbackServerContext* context, const v1::GetModelStatsRequest* request,
                                          v1::GetModelStatsResponse* response) override;

 private:
  // Begins a call other than Recognize and RecognizeStream, which count themselves. `method`: a constant.
  CallTimer StartTimer(absl::string_view method) const { return {options_.metrics, method, options_.clock}; }
  UnaryCall* StartCall(absl::string_view method) const { return new UnaryCall(StartTimer(method)); }

  const Options options_;
  const PictureCalls picture_calls_;
  Recognizer* const recognizer_;
  ModelRegistry* const registry_;
  ModelLoader* const loader_;
  Corrections* const corrections_;
  Trainings* const trainings_;
  const Authorizer authorizer_;
  UnaryAllocator<v1::RecognizeRequest, v1::RecognizeResponse> allocator_;
  FreeList<RecognizeStreamReactor::Slot> slots_{128};  // of all streams, some 18 KiB each
  OpenStreams streams_;
};

}  // namespace digit
