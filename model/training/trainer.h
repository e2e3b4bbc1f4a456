// Trains the digit network on the processor, with as many threads as it is given.
//
// A batch is cut into shards of kShardImages; each thread computes the gradients of some, then all are summed in the
// order of the shards: the number of threads does not change a bit of the outcome. All randomness comes from (seed,
// epoch, picture), so a TrainingState is all that a resumed run needs to end with the same tensors.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "absl/types/span.h"
#include "model/dataset/idx.h"
#include "model/network/digit_cnn.h"
#include "model/training/digit_cnn_step.h"
#include "model/training/epoch_plan.h"
#include "model/training/recipe.h"

namespace digit {

// What one epoch did. `loss` and `train_accuracy` are over the augmented pictures, with the weights of each step.
struct EpochRecord {
  double loss = 0;
  double train_accuracy = 0;
  double validation_loss = 0;  // of the averaged weights, plain cross entropy; 0 without validation images
  double validation_accuracy = 0;
  double seconds = 0;  // of the steps alone; for people, not part of what is reproducible
};

struct TrainingState {
  FlatParameters weight, momentum, variance, average;  // kParameters each
  int64_t step = 0;                                    // steps done
  // Of the epoch under way.
  double loss_sum = 0;
  int64_t right = 0;
  double seconds = 0;
  std::vector<EpochRecord> history;  // of the epochs done
};

// PyTorch's default initialisation: uniform within 1 / sqrt(inputs of a unit).
TrainingState InitialState(int64_t seed);

// Runs the steps left of the epoch that `state->step` is in, at least one; `recipe` is valid, `images` hold at least
// one batch, and `non_digits` (kImagePixels bytes each) at least one picture if the recipe asks for any. Before each
// step, on the calling thread, `before_step(step)` may do things and stop the run by returning false; the state is then
// whole. Blocks; starts threads - 1 threads and joins them.
void RunEpoch(const Recipe& recipe, const LabeledImages& images, absl::Span<const uint8_t> non_digits, int threads,
              const std::function<bool(int64_t step)>& before_step, TrainingState* state);

}  // namespace digit
