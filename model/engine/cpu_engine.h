// Our network on one CPU core, without LibTorch.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "model/engine/aligned_floats.h"
#include "model/engine/inference_engine.h"
#include "model/engine/model.h"
#include "model/engine/packed_network.h"

namespace digit {

// Convolutions run image by image: conv1 straight from the bytes (conv1_kernel.h), conv2 as Winograd tiles with bias,
// pooling and relu in the output transform (winograd.h); then the dense layers for up to kGroup images together, so
// that their weights are read once (matrix_kernels.h). SIMD for the best instruction set of the machine that
// simd_targets.h allows.
//
// Never allocates after Create(). Logits lie within 1e-4 * max(1, largest |logit|) of LibTorch's; an image gets the
// same bits in every batch. The time depends on the picture: paper and features that relu cut are skipped. Speed:
// BENCHMARKS.md.
class CpuEngine final : public InferenceEngine {
 public:
  // Copies what it needs out of `model`. INVALID_ARGUMENT when the tensors are not those of the digit network.
  static absl::StatusOr<std::unique_ptr<InferenceEngine>> Create(const Model& model);

  absl::Status Infer(absl::Span<const uint8_t> pixels, absl::Span<float> scores) override;
  int num_classes() const override { return num_classes_; }
  absl::string_view name() const override { return "cpu"; }

 private:
  explicit CpuEngine(const DigitCnn& net);
  void ComputeFeatures(const uint8_t* pixels, float* features);
  void ComputeHidden(int images);

  const int num_classes_;
  const PackedNetwork net_;
  // Scratch. Channels lie innermost. The first three hold one image, the others a group.
  AlignedFloats map_;       // pooled conv1
  AlignedFloats points_;    // its Winograd transform
  AlignedFloats products_;  // conv2 of that, still transformed
  AlignedFloats features_;  // pooled conv2
  AlignedFloats hidden_;    // fc1
  AlignedFloats outputs_;   // fc2, padded
};

}  // namespace digit
