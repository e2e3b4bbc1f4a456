#include "model/spec/interpretation.h"

#include <cmath>
#include <numeric>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

TEST(InterpretationTest, LogitsBecomeCalibratedProbabilities) {
  ModelSpec spec = DefaultSpec(3);
  spec.temperature = 2;
  const Interpretation result = Interpret(spec, {0.f, 2.f, -4.f});
  EXPECT_EQ(result.label_index, 1);
  EXPECT_NEAR(result.confidence, std::exp(1) / (1 + std::exp(1) + std::exp(-2)), 1e-6);
  EXPECT_NEAR(std::accumulate(result.probabilities.begin(), result.probabilities.end(), 0.0), 1, 1e-6);
  EXPECT_EQ(result.verdict, Verdict::kUnspecified);
}

TEST(InterpretationTest, ProbabilitiesStayProbabilities) {
  const Interpretation result = Interpret(DefaultSpec(3), {0.f, 0.25f, 0.75f});
  EXPECT_EQ(result.label_index, 2);
  EXPECT_NEAR(result.probabilities[1], 0.25, 1e-6);
  EXPECT_NEAR(result.confidence, 0.75, 1e-6);
}

TEST(InterpretationTest, RowsThatSumToOneButAreDeclaredLogitsAreLogits) {
  ModelSpec spec = DefaultSpec(2);
  spec.output = OutputKind::kLogits;
  EXPECT_NEAR(Interpret(spec, {0.f, 1.f}).confidence, std::exp(1) / (1 + std::exp(1)), 1e-6);
}

TEST(InterpretationTest, HugeLogitsDoNotOverflow) {
  const Interpretation result = Interpret(DefaultSpec(2), {1e30f, -1e30f});
  EXPECT_EQ(result.confidence, 1);
  EXPECT_EQ(result.probabilities[1], 0);
}

TEST(InterpretationTest, TheLowestIndexWinsATie) {
  EXPECT_EQ(Interpret(DefaultSpec(3), {5.f, 5.f, 5.f}).label_index, 0);
}

TEST(InterpretationTest, ThresholdsDecideTheVerdict) {
  ModelSpec spec = DefaultSpec(2);
  spec.thresholds = Thresholds{.unsure_below = 0.9, .not_a_digit_below = 3};
  EXPECT_EQ(Interpret(spec, {10.f, 0.f}).verdict, Verdict::kConfident);
  EXPECT_EQ(Interpret(spec, {10.f, 9.f}).verdict, Verdict::kUnsure);
  EXPECT_EQ(Interpret(spec, {1.f, -5.f}).verdict, Verdict::kNotADigit);
}

}  // namespace
}  // namespace digit
