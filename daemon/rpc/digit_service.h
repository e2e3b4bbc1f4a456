// digit.v1.DigitService over gRPC's callback API: decode, call the core, encode.
//
// Threads: gRPC's; answers are finished on decode and executor threads. Holds no state of its own.
#pragma once

#include "daemon/registry/model_registry.h"
#include "daemon/serving/recognizer.h"
#include "digit/v1/digit.grpc.pb.h"

namespace digit {

class DigitServiceImpl final : public v1::DigitService::CallbackService {
 public:
  struct Options {
    int max_unanswered_images = 256;     // per stream; beyond it the stream is not read
    const Clock* clock = SteadyClock();  // not owned
  };
  DigitServiceImpl(const Options& options, Recognizer* recognizer, const ModelRegistry* registry);  // neither owned

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
};

}  // namespace digit
