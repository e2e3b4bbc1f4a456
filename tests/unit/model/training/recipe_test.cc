#include "model/training/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace digit {
namespace {

using ::testing::HasSubstr;

TEST(RecipeTest, LearningRateRisesToThePeakAndFallsToNothing) {
  Recipe recipe;
  EXPECT_LT(LearningRate(recipe, 0, 1000), recipe.peak_learning_rate / 20);
  EXPECT_FLOAT_EQ(LearningRate(recipe, 249, 1000), recipe.peak_learning_rate);
  EXPECT_NEAR(LearningRate(recipe, 624, 1000), recipe.peak_learning_rate / 2, 1e-6);
  EXPECT_NEAR(LearningRate(recipe, 999, 1000), 0, 1e-8);
}

TEST(RecipeTest, LearningRateIsSaneForASingleStep) {
  Recipe recipe;
  EXPECT_GT(LearningRate(recipe, 0, 1), 0);
  EXPECT_LE(LearningRate(recipe, 0, 1), recipe.peak_learning_rate);
}

TEST(RecipeTest, AverageMovesFastAtFirst) {
  Recipe recipe;
  EXPECT_FLOAT_EQ(AverageRate(recipe, 0), 0.9f);
  EXPECT_NEAR(AverageRate(recipe, 1'000'000), 1 - recipe.average_decay, 1e-6);
}

TEST(RecipeTest, DescriptionTellsWhatChangesTheOutcome) {
  Recipe recipe;
  const std::string before = Describe(recipe);
  recipe.augmentation.warp_pixels += 1;
  EXPECT_NE(Describe(recipe), before);
  recipe = Recipe();
  recipe.non_digits = 0;
  EXPECT_NE(Describe(recipe), before);
  recipe = Recipe();
  recipe.epochs = 20;
  EXPECT_THAT(Describe(recipe), HasSubstr("20 epochs"));
}

TEST(RecipeTest, BadValuesAreNamed) {
  Recipe recipe;
  EXPECT_TRUE(Validate(recipe).ok());
  recipe.batch_images = 100;
  EXPECT_THAT(std::string(Validate(recipe).message()), HasSubstr("batch_images is 100"));
  recipe = Recipe();
  recipe.non_digits = 6;  // not the same for each of 4 shards
  EXPECT_THAT(std::string(Validate(recipe).message()), HasSubstr("non_digits is 6"));
  recipe = Recipe();
  recipe.epochs = 0;
  EXPECT_THAT(std::string(Validate(recipe).message()), HasSubstr("epochs is 0"));
}

}  // namespace
}  // namespace digit
