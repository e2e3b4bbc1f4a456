#include "base/clock.h"

#include "base/json.h"
#include "gtest/gtest.h"
#include "tests/support/simulated_clock.h"

namespace digit {
namespace {

TEST(ClockTest, SteadyTimeComparesAndSubtracts) {
  const SteadyTime t(absl::Seconds(5));
  EXPECT_EQ(t + absl::Seconds(2) - t, absl::Seconds(2));
  EXPECT_LT(t, SteadyTime::InfiniteFuture());
  EXPECT_LE(t, t);
}

TEST(ClockTest, TheRealClockWakesAtItsDeadline) {
  Mutex mu;
  CondVar never_notified;
  const SteadyTime deadline = SteadyClock()->Now() + absl::Milliseconds(1);
  MutexLock lock(&mu);
  while (SteadyClock()->Now() < deadline) SteadyClock()->WaitUntil(&never_notified, &mu, deadline);
  EXPECT_GE(SteadyClock()->Now(), deadline);
}

TEST(ClockTest, TheSimulatedClockMovesOnlyWhenTold) {
  SimulatedClock clock;
  const SteadyTime start = clock.Now();
  EXPECT_EQ(clock.Now(), start);
  clock.Advance(absl::Hours(1));
  EXPECT_EQ(clock.Now() - start, absl::Hours(1));
}

TEST(JsonTest, RefusesNonsenseAndDeepNesting) {
  EXPECT_TRUE(ParseJson("[1, 2]", "x").ok());
  EXPECT_FALSE(ParseJson("[1, 2", "x").ok());
  EXPECT_FALSE(ParseJson(std::string(1000, '['), "x").ok());
}

}  // namespace
}  // namespace digit
