#include "daemon/batching/cost_model.h"

#include <algorithm>

namespace digit {

void CostModel::Observe(int num_images, absl::Duration took) {
  constexpr double kFading = 0.98;
  const double n = num_images, t = absl::ToDoubleSeconds(took);
  // Weighted mean, variance and covariance, updated in place (West 1979, "Updating mean and variance estimates").
  weight_ = kFading * weight_ + 1;
  const double share = 1 / weight_;
  const double dn = n - mean_images_, dt = t - mean_seconds_;
  mean_images_ += share * dn;
  mean_seconds_ += share * dt;
  variance_ = (1 - share) * (variance_ + share * dn * dn);
  covariance_ = (1 - share) * (covariance_ + share * dn * dt);

  constexpr double kTooAlike = 0.25;  // images squared
  if (variance_ < kTooAlike) {
    const double predicted = fixed_ + per_image_ * mean_images_;
    const double scale = predicted > 0 ? mean_seconds_ / predicted : 0;
    fixed_ *= scale;
    per_image_ = scale > 0 ? per_image_ * scale : mean_seconds_ / mean_images_;
    return;
  }
  // Neither part can be negative: what the fit makes so is noise.
  per_image_ = std::clamp(covariance_ / variance_, 0.0, mean_seconds_ / mean_images_);
  fixed_ = mean_seconds_ - per_image_ * mean_images_;
}

}  // namespace digit
