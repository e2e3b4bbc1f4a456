// Trains the digit network with LibTorch on a device, after the same recipe as trainer.h does on the processor.
//
// The same pictures, deformed by the same random numbers, in the same order, the same loss, update and rates; a
// TrainingState of the one can be gone on with by the other. What differs is the order of sums, so the weights drift
// apart as those of two seeds do, while losses and accuracy stay alike. On CUDA the data set lies in the GPU's memory
// and a step is one CUDA graph. LibTorch's defaults hold for its arithmetic: convolutions in TF32 (factors rounded to
// 10 bits of mantissa, sums in 32 bits: well below the noise of a batch), all else in full: the update, and the matrix
// products, which also say where in a picture a pixel comes from. cuDNN is held to algorithms with a fixed order of
// sums.
// Not thread-safe; needs about 1 GB of device memory.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/dataset/idx.h"
#include "model/engine/inference_engine.h"
#include "model/training/recipe.h"
#include "model/training/trainer.h"

namespace digit {

// FAILED_PRECONDITION names the device and what is missing for it, as FindTorchDevice() does.
absl::Status CheckTrainingDevice(const Device& device);

class TorchTrainer {
 public:
  // What RunEpoch() of trainer.h asks of `recipe`, `images` and `non_digits`; all are copied to the device, which takes
  // seconds where CUDA has to start. Errors of CheckTrainingDevice(); INVALID_ARGUMENT: a recipe with a warp, which is
  // only in our own kernels; RESOURCE_EXHAUSTED: a GPU has no memory left; INTERNAL: LibTorch failed.
  static absl::StatusOr<std::unique_ptr<TorchTrainer>> Create(const Device& device, const Recipe& recipe,
                                                              const LabeledImages& images,
                                                              absl::Span<const uint8_t> non_digits);
  ~TorchTrainer();

  // As RunEpoch() of trainer.h, but the device lags behind: `before_step` is called for steps that are only queued, up
  // to kStepsAhead of them, and sees in `*state` the step and the sums that were last read back, not the weights. When
  // it returns, `*state` is whole. Blocks. Errors as of Create(); `*state` is then of no use.
  static constexpr int kStepsAhead = 32;  // to read the sums costs less than a step
  absl::Status RunEpoch(const std::function<bool(int64_t step)>& before_step, TrainingState* state);

  // As ComputeLogits() of evaluation.h, on the device. Errors: INTERNAL.
  absl::StatusOr<std::vector<float>> ComputeLogits(absl::Span<const float> parameters,
                                                   absl::Span<const uint8_t> pixels);

 private:
  struct Impl;
  explicit TorchTrainer(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

}  // namespace digit
