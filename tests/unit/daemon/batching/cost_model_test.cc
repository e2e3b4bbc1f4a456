#include "daemon/batching/cost_model.h"

#include <random>

#include "gtest/gtest.h"

namespace digit {
namespace {

double Micros(absl::Duration d) { return absl::ToDoubleMicroseconds(d); }

TEST(CostModelTest, KnowsNothingAtFirst) { EXPECT_EQ(CostModel().Predict(32), absl::ZeroDuration()); }

TEST(CostModelTest, FindsFixedAndPerImageCost) {
  CostModel model;
  for (int n : {1, 2, 4, 8, 16, 32}) model.Observe(n, absl::Microseconds(100 + 30 * n));
  for (int n : {1, 10, 32, 64}) EXPECT_NEAR(Micros(model.Predict(n)), 100 + 30 * n, 0.01);
}

TEST(CostModelTest, OneBatchSizeIsTakenAsProportional) {
  CostModel model;
  for (int i = 0; i < 10; ++i) model.Observe(8, absl::Microseconds(800));
  EXPECT_NEAR(Micros(model.Predict(8)), 800, 0.01);
  EXPECT_NEAR(Micros(model.Predict(16)), 1600, 0.01);
}

TEST(CostModelTest, WhileAllBatchesAreAlikeTheFixedPartKeepsItsShare) {
  CostModel model;
  for (int n : {1, 2, 4, 8, 16, 32}) model.Observe(n, absl::Microseconds(100 + 10 * n));
  for (int i = 0; i < 1000; ++i) model.Observe(32, absl::Microseconds(420));
  EXPECT_NEAR(Micros(model.Predict(1)), 110, 5);
  for (int i = 0; i < 1000; ++i) model.Observe(32, absl::Microseconds(840));  // twice as slow
  EXPECT_NEAR(Micros(model.Predict(32)), 840, 1);
  EXPECT_NEAR(Micros(model.Predict(1)), 220, 10);
}

TEST(CostModelTest, FollowsAMachineThatGetsSlower) {
  CostModel model;
  std::mt19937 random(1);
  const auto observe = [&](int slower) {
    const int n = 1 + static_cast<int>(random() % 32);
    const double noise = 0.9 + 0.2 * static_cast<double>(random()) / 4294967296.0;
    model.Observe(n, absl::Microseconds(slower * (50 + 20 * n)) * noise);
  };
  for (int i = 0; i < 300; ++i) observe(1);
  EXPECT_NEAR(Micros(model.Predict(32)), 690, 35);
  for (int i = 0; i < 300; ++i) observe(3);
  EXPECT_NEAR(Micros(model.Predict(32)), 2070, 105);
}

TEST(CostModelTest, NeitherPartIsEverNegative) {
  CostModel falling;
  falling.Observe(1, absl::Microseconds(900));
  falling.Observe(32, absl::Microseconds(100));
  EXPECT_GE(falling.Predict(1000), absl::ZeroDuration());
  CostModel steep;
  steep.Observe(1, absl::Microseconds(1));
  steep.Observe(32, absl::Microseconds(9000));
  EXPECT_GE(steep.Predict(0), absl::ZeroDuration());
}

}  // namespace
}  // namespace digit
