// One step of training in LibTorch, with all that it reads and writes on the device. Includes torch: only torch_*.cc
// here and tests may include it.
//
// A step finds its batch by a number that lies on the device too and that it counts up itself, so that the same list of
// operations is every step of every epoch and can be a CUDA graph. No method but those that say so waits for the
// device.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "model/dataset/idx.h"
#include "model/training/recipe.h"
#include "model/training/torch_network_pass.h"
#include "model/training/trainer.h"

namespace digit {

class TorchStep {
 public:
  // Copies all pictures to the device. `recipe` has no warp.
  TorchStep(const Recipe& recipe, const LabeledImages& images, absl::Span<const uint8_t> non_digits,
            const at::Device& device);

  // Gets ready for the step that `state` is at: weights, moments and sums, and the plan of its epoch. Waits.
  void Load(const TrainingState& state);

  // One step: deforms a batch, computes the gradient of its loss, updates the weights.
  void Run();

  void ReadSums(TrainingState* state) const;  // loss_sum and right. Waits.
  void Store(TrainingState* state) const;     // the sums and the four arrays. Waits.

  // Steps from `step` (of the whole run) to the end of its epoch, at least one.
  int64_t StepsLeft(int64_t step) const { return steps_per_epoch_ - step % steps_per_epoch_; }

  // The deformed pictures of the batch that is next, [batch][26][26].
  at::Tensor NextInput() const;

 private:
  at::Tensor OfThisStep(const at::Tensor& plan) const { return plan.index_select(0, step_).squeeze(0); }
  at::Tensor NextRows() const { return OfThisStep(rows_); }
  at::Tensor Deformed(const at::Tensor& rows) const;
  at::Tensor LossGradient(const at::Tensor& logits, const at::Tensor& rows);
  void Update();
  void LoadPlan(int64_t epoch);

  const Recipe recipe_;
  const int images_, non_digits_;
  const int64_t steps_per_epoch_;

  at::Tensor pixels_;   // [pictures][784] bytes: the training pictures, then the non-digits
  at::Tensor labels_;   // [pictures]; 10: no digit
  at::Tensor targets_;  // [11 labels][11]: minus the smoothed target of each class; whether it is a digit
  at::Tensor corner_;   // [3][26 * 26]: x, y and 1 of each pixel of the network's corner, over kCentre

  int64_t planned_epoch_ = -1;
  at::Tensor rows_;    // [steps][batch]: rows of pixels_
  at::Tensor affine_;  // [steps][batch * 6]: how each is deformed
  at::Tensor rates_;   // [steps][4]: see Update()
  at::Tensor step_;    // [1], in the epoch

  at::Tensor weight_, momentum_, variance_, average_, gradient_;  // kParameters each
  ParameterViews weight_views_, gradient_views_;
  at::Tensor loss_sum_, right_;  // of the epoch
};

}  // namespace digit
