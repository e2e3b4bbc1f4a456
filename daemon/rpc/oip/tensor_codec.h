// Tensors of the Open Inference Protocol <-> the value types of daemon/serving. Pure.
//
// proto/inference/grpc_service.proto says which tensors there are. Answers are always raw, also to a request that was
// not, because that is what Triton does and what its clients read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "daemon/serving/recognizer.h"
#include "inference/grpc_service.pb.h"

namespace digit {

inline constexpr absl::string_view kPixelsInput = "pixels", kImagesInput = "images";

enum class InferOutput { kProbabilities, kClass, kLabel, kVerdict };
inline constexpr int kNumInferOutputs = 4;
absl::string_view NameOf(InferOutput output);

// What an answer consists of.
struct InferAnswerForm {
  struct Output {
    InferOutput kind = InferOutput::kProbabilities;
    int64_t top = 0;  // parameter "classification"; 0: absent
  };
  absl::InlinedVector<Output, kNumInferOutputs> outputs;  // in order, at least one
  absl::string_view input;                                // kPixelsInput or kImagesInput
};

struct InferCall {
  RecognizeCall recognize;         // points into the request and `converted`
  std::vector<uint8_t> converted;  // pixels that did not come as raw UINT8
  InferAnswerForm form;
  absl::Duration timeout = absl::InfiniteDuration();  // from arrival; >= 0
};

// Images that come as raw UINT8 or BYTES are not copied: `request` must outlive the call. Deadline, flow and
// cancellation are the transport's to set. INVALID_ARGUMENT names tensor or parameter and limit; UNIMPLEMENTED: shared
// memory. `max_images`: of a request.
absl::StatusOr<InferCall> DecodeInfer(const inference::ModelInferRequest& request, int max_images);

// The error of the first image that has one, with its index: then the response is as it was.
absl::Status EncodeInfer(const RecognizeResult& result, const InferAnswerForm& form, const std::string& id,
                         inference::ModelInferResponse* response);

}  // namespace digit
