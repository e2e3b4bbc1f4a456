// One ModelStreamInfer call: an OrderedStream of ModelInfer messages.
#pragma once

#include "daemon/rpc/oip/tensor_codec.h"
#include "daemon/rpc/ordered_stream.h"
#include "daemon/serving/recognizer.h"
#include "inference/grpc_service.grpc.pb.h"

namespace digit {

class InferStreamReactor final
    : public OrderedStream<inference::ModelInferRequest, inference::ModelStreamInferResponse> {
 public:
  // `recognizer`: not owned. `max_images_per_call`: of one message.
  InferStreamReactor(const StreamOptions& options, FreeList<Slot>* slots, Recognizer* recognizer,
                     int max_images_per_call)
      : OrderedStream(options, slots), recognizer_(recognizer), max_images_per_call_(max_images_per_call) {}

 private:
  void Recognize(Slot* slot) override;
  // `form`: not read when `result` is an error.
  void Answer(Slot* slot, const InferAnswerForm& form, absl::StatusOr<RecognizeResult> result);

  Recognizer* const recognizer_;
  const int max_images_per_call_;
};

}  // namespace digit
