// What every way of training does alike: which picture stands where in an epoch, the random numbers that deform it, and
// how far each step goes. No part of it depends on who computes the steps.
#pragma once

#include <cstdint>
#include <vector>

#include "model/training/dense_kernels.h"
#include "model/training/random_stream.h"
#include "model/training/recipe.h"

namespace digit {

struct PlannedPicture {
  bool is_non_digit = false;
  uint32_t index = 0;   // among the non-digits, or else among the training pictures
  RandomStream random;  // for Augment()
};

// The order of one epoch. Thread-safe once made.
class EpochPlan {
 public:
  // `recipe` is valid; `non_digits` >= 1 if it asks for any; `epoch` counts from 0.
  EpochPlan(const Recipe& recipe, int images, int non_digits, int64_t epoch);

  // Picture `place` (0 .. batch_images - 1) of the batch of `step` (0 .. StepsPerEpoch() - 1). The last of each
  // kShardImages are non-digits.
  PlannedPicture At(int64_t step, int place) const;

 private:
  const uint64_t seed_, epoch_;
  const int shards_, digits_, non_digits_;  // digits_: of a shard
  std::vector<uint32_t> order_;
};

// Of digits; the rest of a permutation sits out that epoch.
int64_t StepsPerEpoch(const Recipe& recipe, int images);

// What UpdateWeights() is to do at `step` (0-based, of the whole run).
AdamStep AdamStepAt(const Recipe& recipe, int64_t step, int64_t total_steps);

}  // namespace digit
