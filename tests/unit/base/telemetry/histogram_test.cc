#include "base/telemetry/histogram.h"

#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using ::testing::ElementsAre;

TEST(HistogramTest, BoundsAreInclusiveAndWhatIsAboveThemCountsToo) {
  Histogram histogram({.bounds = {1, 2, 4}});
  for (const int value : {0, 1, 2, 3, 4, 5, 1000}) histogram.Observe(value);
  const Histogram::Reading reading = histogram.Read();
  EXPECT_THAT(reading.bounds, ElementsAre(1, 2, 4));
  EXPECT_THAT(reading.counts, ElementsAre(2, 1, 2, 2));
  EXPECT_EQ(reading.count(), 7);
  EXPECT_EQ(reading.sum, 1015);
}

TEST(HistogramTest, DurationsAreInSeconds) {
  Histogram histogram(Histogram::Seconds());
  histogram.Observe(absl::Microseconds(50));
  histogram.Observe(absl::Milliseconds(3));
  histogram.Observe(absl::Seconds(11));
  const Histogram::Reading reading = histogram.Read();
  EXPECT_EQ(reading.bounds.front(), 50e-6);
  EXPECT_EQ(reading.bounds.back(), 10);
  EXPECT_EQ(reading.counts.front(), 1);
  EXPECT_EQ(reading.counts.back(), 1);
  EXPECT_DOUBLE_EQ(reading.sum, 11.00305);
  const auto five_ms = std::find(reading.bounds.begin(), reading.bounds.end(), 5e-3);
  ASSERT_NE(five_ms, reading.bounds.end());
  EXPECT_EQ(reading.counts[five_ms - reading.bounds.begin()], 1);
}

TEST(HistogramTest, LosesNothingOfManyThreads) {
  constexpr int kThreads = 2 * kTelemetryCells + 1, kEach = 5'000;
  Histogram histogram(Histogram::PowersOfTwo());
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&histogram] {
      for (int n = 0; n < kEach; ++n) histogram.Observe(n % 2000);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const Histogram::Reading reading = histogram.Read();
  EXPECT_EQ(reading.count(), int64_t{kThreads} * kEach);
  int64_t sum = 0;
  for (int n = 0; n < kEach; ++n) sum += n % 2000;
  EXPECT_EQ(reading.sum, static_cast<double>(sum * kThreads));
  EXPECT_EQ(reading.counts.back(), int64_t{kThreads} * 2 * (2000 - 1025));
}

}  // namespace
}  // namespace digit
