// The network as somebody would write it in plain LibTorch, operator by operator: what ours is measured against.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/types/span.h"
#include "model/engine/digit_cnn.h"

namespace digit {

// On GPU 0, in half precision or in single with PyTorch's default of TF32 in convolutions. Not thread-safe: one for
// each thread, each with a stream of its own.
class EagerNetwork {
 public:
  EagerNetwork(const DigitCnn& net, bool half);
  ~EagerNetwork();
  // As InferenceEngine::Infer(); throws what LibTorch throws.
  void Infer(absl::Span<const uint8_t> pixels, absl::Span<float> scores);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace digit
