#include "model/training/evaluation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "model/dataset/digit_generator.h"
#include "model/training/trainer.h"

namespace digit {
namespace {

using ::testing::ElementsAre;

std::vector<float> Rows(const std::vector<std::pair<int, float>>& answers) {
  std::vector<float> logits;
  for (const auto& [answer, margin] : answers) {
    for (int c = 0; c < kDigitCnnClasses; ++c) logits.push_back(c == answer ? margin : 0);
  }
  return logits;
}

TEST(EvaluationTest, CountsRightAnswersByLabel) {
  const std::vector<uint8_t> labels = {3, 3, 5};
  const Evaluation evaluation = Evaluate(Rows({{3, 9}, {8, 1}, {5, 9}}), labels, 1);
  EXPECT_EQ(evaluation.images, 3);
  EXPECT_EQ(evaluation.right, 2);
  EXPECT_EQ(evaluation.confusion[3][8], 1);
  EXPECT_EQ(evaluation.images_of(3), 2);
  EXPECT_EQ(evaluation.errors_of(3), 1);
  EXPECT_EQ(evaluation.errors_of(5), 0);
}

TEST(EvaluationTest, ListsTheMostConfidentMistakeFirst) {
  const std::vector<uint8_t> labels = {1, 1, 1};
  const Evaluation evaluation = Evaluate(Rows({{2, 1}, {1, 5}, {7, 4}}), labels, 1);
  ASSERT_EQ(evaluation.mistakes.size(), 2u);
  EXPECT_EQ(evaluation.mistakes[0].index, 2);
  EXPECT_EQ(evaluation.mistakes[0].answer, 7);
  EXPECT_NEAR(evaluation.mistakes[0].confidence, 1 / (1 + 9 * std::exp(-4.0)), 1e-6);
  EXPECT_EQ(evaluation.mistakes[1].index, 0);
}

TEST(EvaluationTest, LeavesOutWhatItIsTold) {
  const std::vector<uint8_t> labels = {1, 2, 3};
  const std::vector<int> left_out = {1};
  const Evaluation evaluation = Evaluate(Rows({{1, 9}, {1, 9}, {3, 9}}), labels, 1, left_out);
  EXPECT_EQ(evaluation.images, 2);
  EXPECT_EQ(evaluation.accuracy(), 1);
}

TEST(EvaluationTest, CalibrationErrorIsTheGapBetweenConfidenceAndAccuracy) {
  const std::vector<uint8_t> labels = {1, 1, 2, 2};  // half are right
  const Evaluation evaluation = Evaluate(Rows({{1, 9}, {1, 9}, {1, 9}, {1, 9}}), labels, 1);
  EXPECT_NEAR(evaluation.calibration_error, 1 / (1 + 9 * std::exp(-9.0)) - 0.5, 1e-6);
}

TEST(EvaluationTest, TemperatureChangesConfidenceAndNotTheAnswer) {
  const std::vector<uint8_t> labels = {1};
  const std::vector<float> rows = Rows({{1, 4}});
  EXPECT_NEAR(Evaluate(rows, labels, 2).cross_entropy, std::log(1 + 9 * std::exp(-2.0)), 1e-6);
  EXPECT_EQ(Evaluate(rows, labels, 2).right, 1);
}

TEST(EvaluationTest, NoImagesGiveZeros) {
  const Evaluation evaluation = Evaluate({}, {}, 1);
  EXPECT_EQ(evaluation.accuracy(), 0);
  EXPECT_EQ(evaluation.calibration_error, 0);
}

TEST(ComputeLogitsTest, ThreadsDoNotChangeABit) {
  const LabeledImages images = DigitGenerator(1).DrawMany(71);
  const FlatParameters parameters = InitialState(1).weight;
  const std::vector<float> one = ComputeLogits(parameters, images.pixels, 1);
  EXPECT_EQ(one.size(), 710u);
  EXPECT_EQ(one, ComputeLogits(parameters, images.pixels, 3));
}

TEST(DoubtfulLabelsTest, AreFifteenInOrder) {
  EXPECT_EQ(DoubtfulMnistTestLabels().size(), 15u);
  EXPECT_TRUE(std::is_sorted(DoubtfulMnistTestLabels().begin(), DoubtfulMnistTestLabels().end()));
}

}  // namespace
}  // namespace digit
