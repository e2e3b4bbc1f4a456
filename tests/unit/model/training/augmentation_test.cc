#include "model/training/augmentation.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "model/dataset/digit_generator.h"
#include "model/spec/model_spec.h"
#include "model/training/conv_kernels.h"

namespace digit {
namespace {

const DigitGenerator::Pixels kPicture = DigitGenerator(1).Draw(5);

std::vector<float> Augmented(const Augmentation& augmentation, uint64_t seed) {
  std::vector<float> input(kInputSize);
  Augment(augmentation, kPicture, RandomStream(seed), input.data());
  return input;
}

std::vector<float> Cropped() {
  std::vector<float> input(kInputSize);
  CropInput(kPicture, input.data());
  return input;
}

constexpr Augmentation kNothing = {.rotation_degrees = 0, .scale = 0, .shear = 0, .shift_pixels = 0, .warp_pixels = 0};

TEST(AugmentationTest, CropIsTheCornerInUnits) {
  const std::vector<float> input = Cropped();
  EXPECT_EQ(input[10 * kInputSide + 12], kPicture[10 * kImageSide + 12] / 255.0f);
  EXPECT_EQ(input[25 * kInputSide + 25], kPicture[25 * kImageSide + 25] / 255.0f);
}

TEST(AugmentationTest, WithoutAnyAmountIsTheCrop) {
  const std::vector<float> input = Augmented(kNothing, 1);
  const std::vector<float> cropped = Cropped();
  for (int i = 0; i < kInputSize; ++i) EXPECT_NEAR(input[i], cropped[i], 1e-5);
}

TEST(AugmentationTest, SameSeedSamePicture) {
  EXPECT_EQ(Augmented(Augmentation(), 4), Augmented(Augmentation(), 4));
  EXPECT_NE(Augmented(Augmentation(), 4), Augmented(Augmentation(), 5));
}

TEST(AugmentationTest, ShiftMovesTheCentreOfInkAtMostThatFar) {
  Augmentation shift = kNothing;
  shift.shift_pixels = 2;
  const auto centre = [](const std::vector<float>& input) {
    double mass = 0, x = 0;
    for (int i = 0; i < kInputSize; ++i) {
      mass += input[i];
      x += input[i] * (i % kInputSide);
    }
    return x / mass;
  };
  for (uint64_t seed = 0; seed < 50; ++seed) {
    EXPECT_NEAR(centre(Augmented(shift, seed)), centre(Cropped()), 2.05) << seed;
  }
}

TEST(AugmentationTest, StaysBetweenPaperAndInkHoweverStrong) {
  const Augmentation wild = {
      .rotation_degrees = 180, .scale = 0.9f, .shear = 3, .shift_pixels = 100, .warp_pixels = 50};
  for (uint64_t seed = 0; seed < 200; ++seed) {
    for (float value : Augmented(wild, seed)) {
      ASSERT_GE(value, 0);
      ASSERT_LE(value, 1);
    }
  }
}

TEST(AugmentationTest, WarpAloneBendsThePicture) {
  Augmentation warp = kNothing;
  warp.warp_pixels = 3;
  EXPECT_NE(Augmented(warp, 1), Augmented(kNothing, 1));
}

}  // namespace
}  // namespace digit
