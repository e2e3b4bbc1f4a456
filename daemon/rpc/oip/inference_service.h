// inference.GRPCInferenceService, the Open Inference Protocol v2, over gRPC's callback API: decode, call the core that
// digit.v1 calls too, encode.
//
// Threads: gRPC's; answers are finished on decode and executor threads. Holds no state but the list of open streams and
// recycled messages.
#pragma once

#include <functional>

#include "absl/time/time.h"
#include "daemon/registry/model_loader.h"
#include "daemon/registry/model_registry.h"
#include "daemon/rpc/authorizer.h"
#include "daemon/rpc/calls.h"
#include "daemon/rpc/oip/infer_stream.h"
#include "daemon/rpc/open_streams.h"
#include "daemon/rpc/picture_reactor.h"
#include "daemon/rpc/rpc_metrics.h"
#include "daemon/rpc/unary_messages.h"
#include "daemon/serving/recognizer.h"
#include "inference/grpc_service.grpc.pb.h"

namespace digit {

class InferenceServiceImpl final : public inference::GRPCInferenceService::CallbackService {
 public:
  struct Options {
    int max_images_per_call = 1024;
    int max_unanswered_images = 256;                       // per stream; from here on the stream is not read
    size_t max_unanswered_bytes = 16 << 20;                // the same; a stream may hold one message more
    bool access_log = false;                               // one line for each answered call and stream message
    RpcMetrics* metrics = nullptr;                         // not owned; null: nothing is counted
    std::function<bool()> is_ready = [] { return true; };  // whether the server takes calls and a model serves
    std::function<absl::Time()> wall_time = [] { return absl::UnixEpoch(); };
    Authorizer::Options authorizer;
    const Clock* clock = SteadyClock();  // not owned
  };
  // None owned. `call_bytes`: of all ModelInfer requests, and what else shares the bound.
  InferenceServiceImpl(const Options& options, CallBytes* call_bytes, Recognizer* recognizer, ModelRegistry* registry,
                       ModelLoader* loader);

  OpenStreams& streams() { return streams_; }

  grpc::ServerUnaryReactor* ServerLive(grpc::CallbackServerContext* context,
                                       const inference::ServerLiveRequest* request,
                                       inference::ServerLiveResponse* response) override;
  grpc::ServerUnaryReactor* ServerReady(grpc::CallbackServerContext* context,
                                        const inference::ServerReadyRequest* request,
                                        inference::ServerReadyResponse* response) override;
  grpc::ServerUnaryReactor* ModelReady(grpc::CallbackServerContext* context,
                                       const inference::ModelReadyRequest* request,
                                       inference::ModelReadyResponse* response) override;
  grpc::ServerUnaryReactor* ServerMetadata(grpc::CallbackServerContext* context,
                                           const inference::ServerMetadataRequest* request,
                                           inference::ServerMetadataResponse* response) override;
  grpc::ServerUnaryReactor* ModelMetadata(grpc::CallbackServerContext* context,
                                          const inference::ModelMetadataRequest* request,
                                          inference::ModelMetadataResponse* response) override;
  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                       const inference::ModelInferRequest* request,
                                       inference::ModelInferResponse* response) override;
  grpc::ServerBidiReactor<inference::ModelInferRequest, inference::ModelStreamInferResponse>* ModelStreamInfer(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* ModelConfig(grpc::CallbackServerContext* context,
                                        const inference::ModelConfigRequest* request,
                                        inference::ModelConfigResponse* response) override;
  grpc::ServerUnaryReactor* ModelStatistics(grpc::CallbackServerContext* context,
                                            const inference::ModelStatisticsRequest* request,
                                            inference::ModelStatisticsResponse* response) override;
  grpc::ServerUnaryReactor* RepositoryIndex(grpc::CallbackServerContext* context,
                                            const inference::RepositoryIndexRequest* request,
                                            inference::RepositoryIndexResponse* response) override;
  grpc::ServerUnaryReactor* RepositoryModelLoad(grpc::CallbackServerContext* context,
                                                const inference::RepositoryModelLoadRequest* request,
                                                inference::RepositoryModelLoadResponse* response) override;
  grpc::ServerUnaryReactor* RepositoryModelUnload(grpc::CallbackServerContext* context,
                                                  const inference::RepositoryModelUnloadRequest* request,
                                                  inference::RepositoryModelUnloadResponse* response) override;

 private:
  // Begins a call other than ModelInfer and ModelStreamInfer, which count themselves. `method`: a constant.
  UnaryCall* StartCall(absl::string_view method) const {
    return new UnaryCall(CallTimer(options_.metrics, method, options_.clock));
  }
  // Every version of `name` that is loaded (empty: of the default model), or the one of that name.
  absl::StatusOr<std::vector<ModelHandle>> Loaded(const std::string& name, const std::string& version) const;

  const Options options_;
  const PictureCalls picture_calls_;
  Recognizer* const recognizer_;
  ModelRegistry* const registry_;
  ModelLoader* const loader_;
  const Authorizer authorizer_;
  UnaryAllocator<inference::ModelInferRequest, inference::ModelInferResponse> allocator_;
  FreeList<InferStreamReactor::Slot> slots_{128};  // of all streams, some 18 KiB each
  OpenStreams streams_;
};

}  // namespace digit
