#include "model/training/augmentation.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "model/spec/model_spec.h"
#include "model/training/conv_kernels.h"

namespace digit {
namespace {

constexpr float kCentre = (kImageSide - 1) / 2.0f;
constexpr int kBorder = 2;  // paper around the picture, so that sampling needs no edge cases
constexpr int kPaddedSide = kImageSide + 2 * kBorder;

// Displacement of every pixel, from control points `kSpacing` pixels apart.
class Warp {
 public:
  Warp(float pixels, RandomStream* random) {
    for (auto& row : points_) {
      for (auto& point : row) point = {random->Uniform(-pixels, pixels), random->Uniform(-pixels, pixels)};
    }
  }

  struct Displacement {
    float x = 0, y = 0;
  };

  // Blends the control points along one row of pixels; then At() blends within it.
  void SetRow(int row) {
    const std::array<float, 3> weight = Weights(row);
    const int first = row / kSpacing;
    for (int i = 0; i < kPoints; ++i) {
      row_[i] = {};
      for (int k = 0; k < 3; ++k) {
        row_[i].x += weight[k] * points_[first + k][i].x;
        row_[i].y += weight[k] * points_[first + k][i].y;
      }
    }
  }
  Displacement At(int column) const {
    const std::array<float, 3> weight = Weights(column);
    const int first = column / kSpacing;
    Displacement sum;
    for (int k = 0; k < 3; ++k) {
      sum.x += weight[k] * row_[first + k].x;
      sum.y += weight[k] * row_[first + k].y;
    }
    return sum;
  }

 private:
  static constexpr int kSpacing = 4;
  static constexpr int kPoints = kInputSide / kSpacing + 3;

  static std::array<float, 3> Weights(int at) {
    const float t = static_cast<float>(at % kSpacing) / kSpacing;
    return {0.5f * (1 - t) * (1 - t), 0.75f - (t - 0.5f) * (t - 0.5f), 0.5f * t * t};
  }

  std::array<std::array<Displacement, kPoints>, kPoints> points_;
  std::array<Displacement, kPoints> row_;
};

}  // namespace

Affine DrawAffine(const Augmentation& a, RandomStream* random) {
  const float angle = random->Uniform(-a.rotation_degrees, a.rotation_degrees) * 0.017453292f;
  const float scale_x = 1 / random->Uniform(1 - a.scale, 1 + a.scale);
  const float scale_y = 1 / random->Uniform(1 - a.scale, 1 + a.scale);
  const float shear = random->Uniform(-a.shear, a.shear);
  const float cosine = std::cos(angle);
  const float sine = std::sin(angle);
  Affine result;
  result.xx = scale_x * (cosine + shear * sine);
  result.xy = scale_x * (shear * cosine - sine);
  result.yx = scale_y * sine;
  result.yy = scale_y * cosine;
  result.dx = random->Uniform(-a.shift_pixels, a.shift_pixels);
  result.dy = random->Uniform(-a.shift_pixels, a.shift_pixels);
  return result;
}

void Augment(const Augmentation& augmentation, absl::Span<const uint8_t> pixels, RandomStream random, float* input) {
  std::array<float, kPaddedSide * kPaddedSide> padded{};
  for (int row = 0; row < kImageSide; ++row) {
    for (int column = 0; column < kImageSide; ++column) {
      padded[(row + kBorder) * kPaddedSide + column + kBorder] = pixels[row * kImageSide + column] * (1 / 255.0f);
    }
  }
  const Affine affine = DrawAffine(augmentation, &random);
  Warp warp(augmentation.warp_pixels, &random);
  const bool warps = augmentation.warp_pixels > 0;
  constexpr float kLast = kPaddedSide - 1.001f;
  for (int row = 0; row < kInputSide; ++row) {
    if (warps) warp.SetRow(row);
    for (int column = 0; column < kInputSide; ++column) {
      const Warp::Displacement moved = warps ? warp.At(column) : Warp::Displacement();
      const float x = column - kCentre;
      const float y = row - kCentre;
      constexpr float kOrigin = kCentre + kBorder;
      const float source_x = std::clamp(affine.xx * x + affine.xy * y + affine.dx + moved.x + kOrigin, 0.0f, kLast);
      const float source_y = std::clamp(affine.yx * x + affine.yy * y + affine.dy + moved.y + kOrigin, 0.0f, kLast);
      const int left = static_cast<int>(source_x);
      const int top = static_cast<int>(source_y);
      const float fx = source_x - left;
      const float fy = source_y - top;
      const float* p = &padded[top * kPaddedSide + left];
      const float upper = p[0] + fx * (p[1] - p[0]);
      const float lower = p[kPaddedSide] + fx * (p[kPaddedSide + 1] - p[kPaddedSide]);
      input[row * kInputSide + column] = upper + fy * (lower - upper);
    }
  }
}

void CropInput(absl::Span<const uint8_t> pixels, float* input) {
  for (int row = 0; row < kInputSide; ++row) {
    for (int column = 0; column < kInputSide; ++column) {
      input[row * kInputSide + column] = static_cast<float>(pixels[row * kImageSide + column]) / 255.0f;
    }
  }
}

}  // namespace digit
