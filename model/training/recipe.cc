#include "model/training/recipe.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/training/digit_cnn_step.h"

namespace digit {

Recipe FineTuningRecipe() { return Recipe{.epochs = 2, .peak_learning_rate = 1e-4f}; }

float LearningRate(const Recipe& recipe, int64_t step, int64_t total_steps) {
  constexpr double kPi = 3.14159265358979323846;
  constexpr double kStartDivisor = 25;
  const double peak = recipe.peak_learning_rate;
  const double rise = std::max(1.0, recipe.warm_up * static_cast<double>(total_steps));
  const double at = static_cast<double>(step) + 1;
  if (at <= rise) {
    const double start = peak / kStartDivisor;
    return static_cast<float>(start + (peak - start) * 0.5 * (1 - std::cos(kPi * at / rise)));
  }
  const double fall = std::max(1.0, static_cast<double>(total_steps) - rise);
  return static_cast<float>(peak * 0.5 * (1 + std::cos(kPi * std::min(1.0, (at - rise) / fall))));
}

float AverageRate(const Recipe& recipe, int64_t step) {
  const float t = static_cast<float>(step);
  return 1 - std::min(recipe.average_decay, (1 + t) / (10 + t));
}

std::string Describe(const Recipe& recipe) {
  const Augmentation& a = recipe.augmentation;
  return absl::StrFormat(
      "%d epochs, batch %d, AdamW (%g, %g), weight decay %g, one cycle with peak %g and %g warm-up, label smoothing "
      "%g, %d generated non-digits in each batch (logistic loss of the energy, weight %g), weights averaged with decay "
      "%g, random "
      "rotation %g deg, scale %g, shear %g, shift %g px, warp %g px",
      recipe.epochs, recipe.batch_images, recipe.beta1, recipe.beta2, recipe.weight_decay, recipe.peak_learning_rate,
      recipe.warm_up, recipe.label_smoothing, recipe.non_digits, kEnergyWeight, recipe.average_decay,
      a.rotation_degrees, a.scale, a.shear, a.shift_pixels, a.warp_pixels);
}

absl::Status Validate(const Recipe& recipe) {
  if (recipe.epochs < 1 || recipe.epochs > 10'000) {
    return absl::InvalidArgumentError(absl::StrCat("epochs is ", recipe.epochs, ", allowed are 1 to 10000"));
  }
  if (recipe.batch_images < kShardImages || recipe.batch_images > 4096 || recipe.batch_images % kShardImages != 0) {
    return absl::InvalidArgumentError(absl::StrCat("batch_images is ", recipe.batch_images,
                                                   ", allowed are multiples of ", kShardImages, " up to 4096"));
  }
  const int shards = recipe.batch_images / kShardImages;
  if (recipe.non_digits < 0 || recipe.non_digits >= recipe.batch_images || recipe.non_digits % shards != 0) {
    return absl::InvalidArgumentError(absl::StrCat("non_digits is ", recipe.non_digits, ", allowed are multiples of ",
                                                   shards, " below ", recipe.batch_images));
  }
  return absl::OkStatus();
}

}  // namespace digit
