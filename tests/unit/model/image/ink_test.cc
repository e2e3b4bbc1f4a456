#include "model/image/ink.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "gtest/gtest.h"

namespace digit {
namespace {

constexpr int kSide = 120;

// A bar in the middle on `paper`, each with normal noise of standard deviation `grain`.
GreyPicture Bar(double paper, double bar, double grain) {
  std::mt19937 random(3);
  std::normal_distribution<double> noise(0, grain);
  GreyPicture picture{kSide, kSide, {}};
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; ++x) {
      const bool ink = x >= 55 && x < 65 && y >= 20 && y < 100;
      const double level = (ink ? bar : paper) + (grain > 0 ? noise(random) : 0);
      picture.pixels.push_back(static_cast<uint8_t>(std::clamp(std::lround(level), 0L, 255L)));
    }
  }
  return picture;
}

TEST(FindInkTest, FindsDarkAndLightStrokes) {
  for (const auto& [paper, bar] : {std::pair(255, 0), {0, 255}, {200, 140}, {60, 110}}) {
    const absl::StatusOr<GreyPicture> ink = FindInk(Bar(paper, bar, 0));
    ASSERT_TRUE(ink.ok()) << ink.status();
    EXPECT_EQ(ink->At(60, 60), 255) << paper;
    EXPECT_EQ(ink->At(10, 60), 0) << paper;
  }
}

TEST(FindInkTest, KeepsPaperWhiteUnderGrain) {
  const absl::StatusOr<GreyPicture> ink = FindInk(Bar(200, 80, 6));
  ASSERT_TRUE(ink.ok()) << ink.status();
  EXPECT_GT(ink->At(60, 60), 200);
  int num_inked = 0;
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < 50; ++x) num_inked += ink->At(x, y) > 64;
  }
  EXPECT_EQ(num_inked, 0);
}

TEST(FindInkTest, FindsBoldInkOnGrainyPaper) {
  GreyPicture picture = Bar(180, 180, 5);
  for (int y = 20; y < 100; ++y) {
    for (int x = 25; x < 95; ++x) picture.pixels[static_cast<size_t>(y) * kSide + x] /= 4;
  }
  const absl::StatusOr<GreyPicture> ink = FindInk(picture);
  ASSERT_TRUE(ink.ok()) << ink.status();
  EXPECT_GT(ink->At(60, 60), 200);
  EXPECT_LT(ink->At(10, 60), 64);
}

TEST(FindInkTest, CallsAPageWithNothingOnItBlank) {
  for (const double level : {0, 128, 255}) {
    for (const double grain : {0, 3, 12, 40}) {
      const absl::StatusOr<GreyPicture> ink = FindInk(Bar(level, level, grain));
      EXPECT_EQ(ink.status().code(), absl::StatusCode::kNotFound) << level << ", grain " << grain;
    }
  }
}

TEST(HasBrightBorderTest, LooksAtTheBorderOnly) {
  EXPECT_TRUE(HasBrightBorder({3, 3, {255, 255, 255, 255, 0, 255, 255, 255, 255}}));
  EXPECT_FALSE(HasBrightBorder({3, 3, {0, 0, 0, 0, 255, 0, 0, 0, 0}}));
  EXPECT_FALSE(HasBrightBorder({1, 1, {100}}));
}

}  // namespace
}  // namespace digit
