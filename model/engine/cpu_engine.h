// Our network on one CPU core, without LibTorch.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "model/engine/digit_cnn.h"
#include "model/engine/inference_engine.h"
#include "model/engine/model.h"

namespace digit {

// Layers are computed four rows of input by eight outputs at a time, so that every weight that is loaded is used four
// times: the four pixels of a pooling window, or four images in the dense layers. Never allocates after Create().
// Logits lie within 1e-4 * max(1, largest |logit|) of LibTorch's. Speed: tests/bench/engine_benchmark.cc.
class CpuEngine final : public InferenceEngine {
 public:
  // Copies what it needs out of `model`. INVALID_ARGUMENT when the tensors are not those of the digit network.
  static absl::StatusOr<std::unique_ptr<InferenceEngine>> Create(const Model& model);

  absl::Status Infer(absl::Span<const uint8_t> pixels, absl::Span<float> scores) override;
  int num_classes() const override { return num_classes_; }
  absl::string_view name() const override { return "cpu"; }

  // One layer, repacked: blocks of eight outputs, in each block eight weights per input. Outputs are padded to a
  // multiple of eight with zeros.
  struct Layer {
    int inputs = 0;
    int outputs = 0;  // with padding
    std::vector<float> weights;
    std::vector<float> bias;
  };

 private:
  explicit CpuEngine(const DigitCnn& net);
  void ComputeFeatures(const uint8_t* pixels, float* features);
  template <int kRows>
  void ComputeScores(float* scores);

  const int num_classes_;
  const Layer conv1_, conv2_, fc1_, fc2_;
  // Scratch. Pictures are stored with the channels innermost.
  std::vector<float> crop_;      // one image, 0..1
  std::vector<float> map1_;      // its pooled conv1
  std::vector<float> features_;  // pooled conv2 of up to four images
  std::vector<float> hidden_;    // fc1 of them
  std::vector<float> outputs_;   // fc2 of them, padded
};

}  // namespace digit
