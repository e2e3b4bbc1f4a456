// How training goes: the one default recipe, and what may be changed.
//
// Chosen on validation images only (the last 5,000 of MNIST's training set), never on the test set.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "model/training/augmentation.h"

namespace digit {

struct Recipe {
  int epochs = 5;
  int64_t seed = 1;
  int batch_images = 128;  // a multiple of kShardImages
  float peak_learning_rate = 5e-3f;
  float warm_up = 0.25f;  // part of all steps
  float weight_decay = 0.01f;
  float beta1 = 0.9f;
  float beta2 = 0.99f;
  float label_smoothing = 0.05f;
  int non_digits = 4;            // of the batch's pictures, spread evenly over its shards; 0: only digits
  float average_decay = 0.999f;  // of the moving average of the weights, which is what is shipped
  Augmentation augmentation;
};

// To go on from weights that are good already: a fiftieth of the rate, two epochs. Twenty corrections of one hand that
// the shipped model gets wrong 17 times in 100 leave 4 in 100; MNIST test loses 0.05 points with MNIST for replay, 0.2
// with generated digits (2e-4 and 5e-4 lose more and win little).
Recipe FineTuningRecipe();

// One cycle (Smith and Topin 2018, "Super-convergence"): half a cosine up to the peak, half a cosine down to nothing.
float LearningRate(const Recipe& recipe, int64_t step, int64_t total_steps);

// Weight of the newest weights in the moving average at `step` (0-based): larger at first, when all is in motion.
float AverageRate(const Recipe& recipe, int64_t step);

// "AdamW, one cycle, peak 0.005, ...", for model.json and the card. Says everything that changes the outcome.
std::string Describe(const Recipe& recipe);

// INVALID_ARGUMENT names the value that is out of range.
absl::Status Validate(const Recipe& recipe);

}  // namespace digit
