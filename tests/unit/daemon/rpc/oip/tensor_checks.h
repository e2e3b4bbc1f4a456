// What must hold of DecodeInfer() whatever comes in; also for the fuzzer.
#pragma once

#include <functional>

#include "base/check.h"
#include "daemon/rpc/oip/tensor_codec.h"

namespace digit {

// Whether `bytes` lie within one of the request's strings or the call's own pixels.
inline bool BelongsTo(absl::string_view bytes, const inference::ModelInferRequest& request, const InferCall& call) {
  const auto within = [bytes](const void* data, size_t size) {
    const std::less_equal<const char*> before;
    const char* const begin = static_cast<const char*>(data);
    return before(begin, bytes.data()) && before(bytes.data() + bytes.size(), begin + size);
  };
  if (within(call.converted.data(), call.converted.size())) return true;
  for (const std::string& raw : request.raw_input_contents()) {
    if (within(raw.data(), raw.size())) return true;
  }
  for (const std::string& file : request.inputs(0).contents().bytes_contents()) {
    if (within(file.data(), file.size())) return true;
  }
  return false;
}

// Whether it was decoded; CHECK-fails when what comes out is not sound.
inline bool CheckDecoded(const inference::ModelInferRequest& request) {
  constexpr int kMaxImages = 16;
  const absl::StatusOr<InferCall> call = DecodeInfer(request, kMaxImages);
  if (!call.ok()) {
    DIGIT_CHECK(absl::IsInvalidArgument(call.status()) || absl::IsUnimplemented(call.status()));
    DIGIT_CHECK(!call.status().message().empty() && call.status().message().size() < 1000);
    return false;
  }
  const RecognizeCall& recognize = call->recognize;
  DIGIT_CHECK(recognize.images.empty() != recognize.packed_pixels.empty());
  DIGIT_CHECK(recognize.packed_pixels.size() % kImagePixels == 0);
  DIGIT_CHECK(recognize.packed_pixels.size() / kImagePixels <= kMaxImages && recognize.images.size() <= kMaxImages);
  if (!recognize.packed_pixels.empty()) DIGIT_CHECK(BelongsTo(recognize.packed_pixels, request, *call));
  for (const ImageInput& image : recognize.images) DIGIT_CHECK(BelongsTo(image.bytes, request, *call));
  DIGIT_CHECK(!call->form.outputs.empty() && call->timeout > absl::ZeroDuration());
  return true;
}

}  // namespace digit
