// One RecognizeStream call: an OrderedStream of Recognize messages.
#pragma once

#include "daemon/rpc/ordered_stream.h"
#include "daemon/serving/recognizer.h"
#include "digit/v1/digit.grpc.pb.h"

namespace digit {

class RecognizeStreamReactor final : public OrderedStream<v1::RecognizeStreamRequest, v1::RecognizeStreamResponse> {
 public:
  RecognizeStreamReactor(const StreamOptions& options, FreeList<Slot>* slots, Recognizer* recognizer)  // not owned
      : OrderedStream(options, slots), recognizer_(recognizer) {}

 private:
  void Recognize(Slot* slot) override;
  void Answer(Slot* slot, const absl::StatusOr<RecognizeResult>& result);

  Recognizer* const recognizer_;
};

}  // namespace digit
