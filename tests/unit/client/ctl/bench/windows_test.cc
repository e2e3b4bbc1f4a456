#include "client/ctl/bench/windows.h"

#include <gtest/gtest.h>

namespace digit {
namespace {

Window Of(int64_t images, absl::Duration median) { return {1, images, median}; }

std::vector<Window> Rates(const std::vector<int64_t>& rates) {
  std::vector<Window> windows;
  for (const int64_t rate : rates) windows.push_back(Of(rate, absl::Milliseconds(1)));
  return windows;
}

TEST(WindowsTest, StableIsThreeInARowNearTheirMean) {
  EXPECT_FALSE(IsStable(Rates({}), 0.05));
  EXPECT_FALSE(IsStable(Rates({100, 100}), 0.05));
  EXPECT_TRUE(IsStable(Rates({100, 100, 100}), 0.05));
  EXPECT_TRUE(IsStable(Rates({96, 100, 104}), 0.05));
  EXPECT_FALSE(IsStable(Rates({94, 100, 106}), 0.05));
}

TEST(WindowsTest, OnlyTheLastThreeCount) {
  EXPECT_TRUE(IsStable(Rates({10, 100, 100, 100}), 0.05));
  EXPECT_FALSE(IsStable(Rates({100, 100, 100, 10}), 0.05));
}

TEST(WindowsTest, AGrowingQueueIsNotStableHoweverSteadyTheThroughput) {
  const std::vector<Window> windows = {Of(100, absl::Milliseconds(10)), Of(100, absl::Milliseconds(20)),
                                       Of(100, absl::Milliseconds(30))};
  EXPECT_FALSE(IsStable(windows, 0.05));
}

TEST(WindowsTest, NothingAnsweredIsNotStable) {
  EXPECT_FALSE(IsStable(Rates({0, 0, 0}), 1));
  EXPECT_FALSE(IsStable(Rates({100, 100, 0}), 1));
}

TEST(WindowsTest, WindowsOfAnyLengthAreComparedByRate) {
  const std::vector<Window> windows = {
      {1, 100, absl::Milliseconds(1)}, {2, 200, absl::Milliseconds(1)}, {0.5, 50, absl::Milliseconds(1)}};
  EXPECT_TRUE(IsStable(windows, 0.01));
  EXPECT_DOUBLE_EQ(ThroughputSpread(windows), 0);
}

TEST(SpreadTest, IsTheFarthestFromTheMean) {
  EXPECT_DOUBLE_EQ(Spread({}), 0);
  EXPECT_DOUBLE_EQ(Spread({5}), 0);
  EXPECT_DOUBLE_EQ(Spread({90, 100, 110}), 0.1);
  EXPECT_DOUBLE_EQ(Spread({0, 0}), 1);
  EXPECT_DOUBLE_EQ(ThroughputSpread(Rates({75, 125})), 0.25);
}

}  // namespace
}  // namespace digit
