// digit.v1.DigitService over gRPC's callback API: decode, call the core, encode.
//
// Threads: gRPC's; answers are finished on decode and executor threads. Holds no state but the list
// of open streams and recycled messages.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "base/mutex.h"
#include "daemon/registry/model_loader.h"
#include "daemon/registry/model_registry.h"
#include "daemon/rpc/authorizer.h"
#include "daemon/rpc/calls.h"
#include "daemon/rpc/recognize_messages.h"
#include "daemon/rpc/recognize_stream.h"
#include "daemon/rpc/rpc_metrics.h"
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
    // Of all Recognize and SubmitFeedback requests that are unanswered; beyond it RESOURCE_EXHAUSTED. One alone passes.
    size_t max_call_bytes = 256 << 20;
    bool access_log = false;        // one line for each answered call and stream message
    RpcMetrics* metrics = nullptr;  // not owned; null: nothing is counted
    Authorizer::Options authorizer;
    const Clock* clock = SteadyClock();  // not owned
  };
  // None owned.
  DigitServiceImpl(const Options& options, Recognizer* recognizer, ModelRegistry* registry, ModelLoader* loader,
                   Corrections* corrections, Trainings* trainings);

  // Ends the streams on which nothing is unanswered and nothing has moved for `idle_for`, with UNAVAILABLE. For
  // shutdown: the server waits for open streams. Thread-safe.
  void EndIdleStreams(absl::Duration idle_for) ABSL_LOCKS_EXCLUDED(mu_);
  // Reads no stream any more, answers what was read and then ends them, with UNAVAILABLE; new streams end at once.
  // Does not wait. Thread-safe.
  void EndStreams() ABSL_LOCKS_EXCLUDED(mu_);

  int num_open_streams() ABSL_LOCKS_EXCLUDED(mu_);

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
  // Whether the caller may; else the call is finished and logged.
  bool Admits(absl::string_view method, const grpc::CallbackServerContext& context, absl::string_view model,
              UnaryCall* reactor) const;
  void Forget(RecognizeStreamReactor* stream) ABSL_LOCKS_EXCLUDED(mu_);
  std::vector<std::shared_ptr<RecognizeStreamReactor>> Streams() ABSL_LOCKS_EXCLUDED(mu_);

  const Options options_;
  Recognizer* const recognizer_;
  ModelRegistry* const registry_;
  ModelLoader* const loader_;
  Corrections* const corrections_;
  Trainings* const trainings_;
  const Authorizer authorizer_;
  RecognizeAllocator allocator_;
  CallBytes call_bytes_;
  FreeList<StreamSlot> slots_{128};  // of all streams, some 18 KiB each

  Mutex mu_;
  // Each until its OnDone(), and a moment longer while somebody ends it.
  std::map<RecognizeStreamReactor*, std::shared_ptr<RecognizeStreamReactor>> streams_ ABSL_GUARDED_BY(mu_);
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace digit
