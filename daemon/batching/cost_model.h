// How long an executor needs for a batch of n images: a + b * n, fitted online.
//
// Least squares with exponentially fading weights (a batch counts half after about 34 more), so that it follows a
// machine that gets slower or faster. While all batches are of one size, a and b cannot be told apart: their ratio then
// stays as it was. Pure, O(1), not thread-safe.
#pragma once

#include "absl/time/time.h"

namespace digit {

class CostModel {
 public:
  // `num_images` >= 1, `took` > 0.
  void Observe(int num_images, absl::Duration took);

  // Zero before the first observation.
  absl::Duration Predict(int num_images) const { return absl::Seconds(fixed_ + per_image_ * num_images); }

 private:
  double weight_ = 0;  // sum of the weights
  double mean_images_ = 0, mean_seconds_ = 0;
  double variance_ = 0, covariance_ = 0;  // of images; of images and seconds
  double fixed_ = 0, per_image_ = 0;      // a and b, seconds
};

}  // namespace digit
