#include "client/ctl/bench/arrivals.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace digit {
namespace {

std::vector<double> Gaps(double rate, uint64_t seed, int count) {
  PoissonArrivals arrivals(rate, seed);
  std::vector<double> gaps;
  absl::Duration last;
  for (int i = 0; i < count; ++i) {
    const absl::Duration next = arrivals.Next();
    gaps.push_back(absl::ToDoubleSeconds(next - last));
    last = next;
  }
  return gaps;
}

// With n exponential gaps the mean's standard error is mean / sqrt(n): 0.3 % here; the seed is fixed.
TEST(PoissonArrivalsTest, GapsAreExponentialWithTheRatesMean) {
  for (const double rate : {1.0, 2000.0, 1e6}) {
    const std::vector<double> gaps = Gaps(rate, 7, 100'000);
    double sum = 0, squares = 0;
    int beyond_mean = 0;
    for (const double gap : gaps) {
      EXPECT_GE(gap, 0);
      sum += gap * rate;
      squares += gap * rate * gap * rate;
      beyond_mean += gap * rate > 1 ? 1 : 0;
    }
    const auto n = static_cast<double>(gaps.size());
    EXPECT_NEAR(sum / n, 1, 0.01);
    EXPECT_NEAR(squares / n, 2, 0.06);                 // the second moment of an exponential of mean 1
    EXPECT_NEAR(beyond_mean / n, std::exp(-1), 0.01);  // its tail
  }
}

TEST(PoissonArrivalsTest, CountsInAFixedTimeHaveTheVarianceOfAPoissonProcess) {
  PoissonArrivals arrivals(100, 3);
  std::vector<int> counts(2000);
  for (absl::Duration at = arrivals.Next(); at < absl::Seconds(2000); at = arrivals.Next()) {
    ++counts[absl::ToInt64Seconds(at)];
  }
  double mean = 0, variance = 0;
  for (const int n : counts) mean += n / 2000.0;
  for (const int n : counts) variance += (n - mean) * (n - mean) / 2000.0;
  EXPECT_NEAR(mean, 100, 1);
  EXPECT_NEAR(variance, 100, 10);
}

TEST(PoissonArrivalsTest, GapsDoNotDependOnEachOther) {
  const std::vector<double> gaps = Gaps(1, 5, 100'000);
  double correlation = 0;  // of neighbours; the deviation is 1
  for (size_t i = 1; i < gaps.size(); ++i) correlation += (gaps[i] - 1) * (gaps[i - 1] - 1) / 100'000;
  EXPECT_NEAR(correlation, 0, 0.02);
}

// Nothing but rate and seed goes in: whenever the next is asked for, and whatever came back, the schedule stands.
TEST(PoissonArrivalsTest, TheScheduleIsAFunctionOfRateAndSeedAlone) {
  EXPECT_EQ(Gaps(50, 1, 1000), Gaps(50, 1, 1000));
  EXPECT_NE(Gaps(50, 1, 1000), Gaps(50, 2, 1000));
}

}  // namespace
}  // namespace digit
