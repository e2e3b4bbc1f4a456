#include "model/training/calibration.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "model/network/digit_cnn.h"
#include "model/training/random_stream.h"

namespace digit {
namespace {

constexpr int kClasses = kDigitCnnClasses;

// Appends a row that answers `answer` with the margin `margin`, on top of `level`.
void AddRow(int answer, float margin, float level, std::vector<float>* logits) {
  for (int c = 0; c < kClasses; ++c) logits->push_back(level + (c == answer ? margin : 0));
}

// Probability of the answer at temperature 1 when its margin is `margin`.
double ConfidenceOf(double margin) { return 1 / (1 + (kClasses - 1) * std::exp(-margin)); }

TEST(CalibrationTest, FindsTheTemperatureThatTheOutputsWereScaledBy) {
  // Answers are right exactly as often as the margin says; then all logits are tripled.
  std::vector<float> logits;
  std::vector<uint8_t> labels;
  RandomStream random(1);
  for (int i = 0; i < 20000; ++i) {
    const float margin = random.Uniform(1, 6);
    const int answer = static_cast<int>(random.Below(kClasses));
    AddRow(answer, 3 * margin, 0, &logits);
    const bool right = random.Uniform(0, 1) < ConfidenceOf(margin);
    labels.push_back(static_cast<uint8_t>(right ? answer : (answer + 1 + random.Below(kClasses - 1)) % kClasses));
  }
  EXPECT_NEAR(FitTemperature(logits, labels), 3.0, 0.1);
}

TEST(CalibrationTest, UnsureBelowLeavesOneInAThousandWrong) {
  // 4,000 sure answers of which 2 are wrong, and below them 100 hesitant ones of which half are.
  std::vector<float> logits;
  std::vector<uint8_t> labels;
  for (int i = 0; i < 4000; ++i) {
    AddRow(1, 8 + static_cast<float>(i) * 1e-3f, 0, &logits);
    labels.push_back(i % 2000 == 1999 ? 2 : 1);
  }
  for (int i = 0; i < 100; ++i) {
    AddRow(1, 2 + static_cast<float>(i) * 1e-3f, 0, &logits);
    labels.push_back(i % 2 == 0 ? 1 : 2);
  }
  const double unsure_below = FitThresholds(logits, labels, 1, {}).unsure_below;
  EXPECT_GT(unsure_below, ConfidenceOf(2));
  EXPECT_LE(unsure_below, ConfidenceOf(8.01));
}

TEST(CalibrationTest, WithoutMistakesNothingIsUnsure) {
  std::vector<float> logits;
  for (int i = 0; i < 10; ++i) AddRow(3, 5, 0, &logits);
  EXPECT_EQ(FitThresholds(logits, std::vector<uint8_t>(10, 3), 1, {}).unsure_below, 0);
}

TEST(CalibrationTest, NotADigitCutLiesBetweenTheTwoKinds) {
  std::vector<float> digits, others;
  for (int i = 0; i < 1000; ++i) AddRow(3, 5, 10, &digits);
  for (int i = 0; i < 100; ++i) AddRow(3, 5, 2, &others);
  const double cut = FitThresholds(digits, std::vector<uint8_t>(1000, 3), 1, others).not_a_digit_below;
  EXPECT_EQ(PartBelow(digits, cut), 0);
  EXPECT_EQ(PartBelow(others, cut), 1);
  EXPECT_NEAR(cut, 5 + 6 + std::log(1 + 9 * std::exp(-5.0)), 0.01);  // the middle
}

TEST(CalibrationTest, NotADigitCutLosesAtMostTwoDigitsInAThousand) {
  std::vector<float> digits, others;
  for (int i = 0; i < 1000; ++i) AddRow(3, 5, static_cast<float>(i), &digits);
  for (int i = 0; i < 100; ++i) AddRow(3, 5, static_cast<float>(10 * i), &others);
  const double cut = FitThresholds(digits, std::vector<uint8_t>(1000, 3), 1, others).not_a_digit_below;
  EXPECT_LE(PartBelow(digits, cut), kDigitsLost);
  EXPECT_EQ(PartBelow(others, cut), 0.01);  // only the one that lies below the third digit
}

}  // namespace
}  // namespace digit
