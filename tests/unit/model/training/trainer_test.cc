#include "model/training/trainer.h"

#include <gtest/gtest.h>

#include "model/dataset/digit_generator.h"
#include "model/spec/interpretation.h"
#include "model/training/evaluation.h"

namespace digit {
namespace {

bool GoOn(int64_t) { return true; }

Recipe SmallRecipe() {
  Recipe recipe;
  recipe.epochs = 2;
  recipe.batch_images = 64;
  return recipe;
}

// The tensors after both epochs; `stop_at` >= 0: stopped before that step once, and gone on with.
TrainingState Train(const LabeledImages& images, const std::vector<uint8_t>& non_digits, int threads, int64_t stop_at) {
  const Recipe recipe = SmallRecipe();
  TrainingState state = InitialState(recipe.seed);
  const int64_t end = StepsPerEpoch(recipe, images.size()) * recipe.epochs;
  while (state.step < end) {
    RunEpoch(
        recipe, images, non_digits, threads,
        [&](int64_t step) { return std::exchange(stop_at, step == stop_at ? -1 : stop_at) != step; }, &state);
  }
  return state;
}

// The mean energy of the pictures' logits.
double MeanEnergy(const TrainingState& state, absl::Span<const uint8_t> pixels) {
  const std::vector<float> logits = ComputeLogits(state.weight, pixels, 2);
  double sum = 0;
  for (size_t i = 0; i < logits.size(); i += kDigitCnnClasses) {
    sum += Energy(absl::MakeConstSpan(logits).subspan(i, kDigitCnnClasses));
  }
  return sum * kDigitCnnClasses / static_cast<double>(logits.size());
}

class TrainerTest : public testing::Test {
 protected:
  const LabeledImages images_ = DigitGenerator(3).DrawMany(200);
  const std::vector<uint8_t> non_digits_ = DigitGenerator(4).DrawManyNonDigits(100);
};

TEST_F(TrainerTest, LearnsGeneratedDigits) {
  Recipe recipe = SmallRecipe();
  recipe.epochs = 12;
  TrainingState state = InitialState(1);
  for (int epoch = 0; epoch < recipe.epochs; ++epoch) RunEpoch(recipe, images_, non_digits_, 2, GoOn, &state);
  const Evaluation evaluation = Evaluate(ComputeLogits(state.weight, images_.pixels, 2), images_.labels, 1);
  EXPECT_GT(evaluation.accuracy(), 0.8);
}

TEST_F(TrainerTest, LearnsThatNonDigitsAreNoDigits) {
  Recipe recipe = SmallRecipe();
  recipe.epochs = 12;
  recipe.non_digits = 16;  // the set is small, so that few of four in a batch would be seen
  TrainingState state = InitialState(1);
  for (int epoch = 0; epoch < recipe.epochs; ++epoch) RunEpoch(recipe, images_, non_digits_, 2, GoOn, &state);
  EXPECT_GT(MeanEnergy(state, DigitGenerator(5).DrawMany(100).pixels), 1);
  EXPECT_LT(MeanEnergy(state, DigitGenerator(6).DrawManyNonDigits(100)), 0);
}

TEST_F(TrainerTest, WithoutNonDigitsNoneAreNeeded) {
  Recipe recipe = SmallRecipe();
  recipe.non_digits = 0;
  TrainingState state = InitialState(1);
  RunEpoch(recipe, images_, {}, 1, GoOn, &state);
  EXPECT_EQ(state.step, 3);
}

TEST_F(TrainerTest, ThreadsDoNotChangeABit) {
  const TrainingState one = Train(images_, non_digits_, 1, -1);
  const TrainingState three = Train(images_, non_digits_, 3, -1);
  EXPECT_EQ(one.weight, three.weight);
  EXPECT_EQ(one.average, three.average);
  EXPECT_EQ(one.loss_sum, three.loss_sum);
}

TEST_F(TrainerTest, StoppedAndGoneOnWithEndsWithTheSameTensors) {
  const TrainingState whole = Train(images_, non_digits_, 2, -1);
  const TrainingState stopped = Train(images_, non_digits_, 2, 4);  // in the middle of the second epoch
  EXPECT_EQ(whole.weight, stopped.weight);
  EXPECT_EQ(whole.momentum, stopped.momentum);
  EXPECT_EQ(whole.variance, stopped.variance);
  EXPECT_EQ(whole.average, stopped.average);
}

TEST_F(TrainerTest, StopLeavesTheStateAtThatStep) {
  TrainingState state = InitialState(1);
  RunEpoch(
      SmallRecipe(), images_, non_digits_, 2, [](int64_t step) { return step < 2; }, &state);
  EXPECT_EQ(state.step, 2);
}

TEST_F(TrainerTest, SeedsDiffer) { EXPECT_NE(InitialState(1).weight, InitialState(2).weight); }

TEST_F(TrainerTest, RestOfAPermutationSitsOut) {
  EXPECT_EQ(StepsPerEpoch(SmallRecipe(), 200), 3);  // 56 digits each
  TrainingState state = InitialState(1);
  RunEpoch(SmallRecipe(), images_, non_digits_, 1, GoOn, &state);
  EXPECT_EQ(state.step, 3);
  EXPECT_GT(state.loss_sum, 0);
}

}  // namespace
}  // namespace digit
