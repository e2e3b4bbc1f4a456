#include "base/telemetry/counter.h"

#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace digit {
namespace {

TEST(CounterTest, StartsAtNothingAndSumsWhatIsAdded) {
  Counter counter;
  EXPECT_EQ(counter.value(), 0);
  counter.Add();
  counter.Add(41);
  EXPECT_EQ(counter.value(), 42);
}

TEST(CounterTest, LosesNothingOfManyThreads) {
  constexpr int kThreads = 3 * kTelemetryCells, kEach = 10'000;  // several threads share each cell
  Counter counter;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&counter] {
      for (int n = 0; n < kEach; ++n) counter.Add();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), int64_t{kThreads} * kEach);
}

TEST(CounterTest, NeighbouringThreadsDoNotShareACacheLine) {
  EXPECT_EQ(sizeof(Counter), kTelemetryCells * 64);
  EXPECT_EQ(alignof(Counter), 64u);
  const size_t mine = TelemetryCell();
  size_t first = mine, second = mine;
  std::thread([&first] { first = TelemetryCell(); }).join();
  std::thread([&second] { second = TelemetryCell(); }).join();
  EXPECT_NE(first, second);
  EXPECT_EQ(TelemetryCell(), mine);
}

}  // namespace
}  // namespace digit
