// digit.v1.DigitService over gRPC's callback API: decode, call the core, encode.
//
// Threads: gRPC's; answers are finished on decode and executor threads. Holds no state but the list of open streams.
#pragma once

#include <set>

#include "base/mutex.h"
#include "daemon/registry/model_registry.h"
#include "daemon/serving/recognizer.h"
#include "digit/v1/digit.grpc.pb.h"

namespace digit {

class RecognizeStreamReactor;

class DigitServiceImpl final : public v1::DigitService::CallbackService {
 public:
  struct Options {
    int max_unanswered_images = 256;     // per stream; beyond it the stream is not read
    const Clock* clock = SteadyClock();  // not owned
  };
  DigitServiceImpl(const Options& options, Recognizer* recognizer, const ModelRegistry* registry);  // neither owned

  // Ends the streams on which nothing is unanswered and nothing has moved for `idle_for`, with UNAVAILABLE. For
  // shutdown: the server waits for open streams. Thread-safe.
  void EndIdleStreams(absl::Duration idle_for) ABSL_LOCKS_EXCLUDED(mu_);

  grpc::ServerUnaryReactor* Recognize(grpc::CallbackServerContext* context, const v1::RecognizeRequest* request,
                                      v1::RecognizeResponse* response) override;
  grpc::ServerBidiReactor<v1::RecognizeStreamRequest, v1::RecognizeStreamResponse>* RecognizeStream(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context, const v1::ListModelsRequest* request,
                                       v1::ListModelsResponse* response) override;
  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context, const v1::GetModelRequest* request,
                                     v1::GetModelResponse* response) override;

 private:
  const Options options_;
  Recognizer* const recognizer_;
  const ModelRegistry* const registry_;

  Mutex mu_;
  std::set<RecognizeStreamReactor*> streams_ ABSL_GUARDED_BY(mu_);  // each takes itself out and is then gone
};

}  // namespace digit
