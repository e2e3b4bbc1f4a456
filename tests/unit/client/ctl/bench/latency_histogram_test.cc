#include "client/ctl/bench/latency_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "model/dataset/random.h"

namespace digit {
namespace {

constexpr double kQuantiles[] = {0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1};

TEST(LatencyHistogramTest, QuantilesKeepTheirPromiseOnTheError) {
  Random random(1);
  for (const double decades : {1.0, 5.0, 12.0}) {
    LatencyHistogram histogram;
    std::vector<int64_t> values;
    for (int i = 0; i < 20'000; ++i) {
      values.push_back(static_cast<int64_t>(std::pow(10, random.Uniform(0, decades))));
      histogram.Add(absl::Nanoseconds(values.back()));
    }
    std::sort(values.begin(), values.end());
    for (const double q : kQuantiles) {
      const auto rank = static_cast<size_t>(std::max(1.0, std::ceil(q * static_cast<double>(values.size()))));
      const auto exact = static_cast<double>(values[rank - 1]);
      const auto reported = static_cast<double>(absl::ToInt64Nanoseconds(histogram.Quantile(q)));
      EXPECT_GE(reported, exact) << q << " of " << decades;
      EXPECT_LE(reported, exact * (1 + LatencyHistogram::kRelativeError)) << q << " of " << decades;
    }
  }
}

TEST(LatencyHistogramTest, EveryPowerOfTwoAndItsNeighboursAreWithinTheError) {
  for (int bit = 0; bit < 42; ++bit) {
    for (const int64_t near : {-1, 0, 1}) {
      const int64_t value = (int64_t{1} << bit) + near;
      LatencyHistogram histogram;
      histogram.Add(absl::Nanoseconds(value));
      histogram.Add(absl::Hours(1));  // so that max() does not hide the bucket's own bound
      const int64_t reported = absl::ToInt64Nanoseconds(histogram.Quantile(0.5));
      EXPECT_GE(reported, value);
      EXPECT_LE(static_cast<double>(reported), static_cast<double>(value) * (1 + LatencyHistogram::kRelativeError));
    }
  }
}

TEST(LatencyHistogramTest, MaxAndMeanAreExact) {
  LatencyHistogram histogram;
  histogram.Add(absl::Nanoseconds(1'000'003));
  histogram.Add(absl::Nanoseconds(2'000'001));
  EXPECT_EQ(histogram.max(), absl::Nanoseconds(2'000'001));
  EXPECT_EQ(histogram.Quantile(1), histogram.max());
  EXPECT_EQ(histogram.Mean(), absl::Nanoseconds(1'500'002));
  EXPECT_EQ(histogram.count(), 2);
}

TEST(LatencyHistogramTest, AnEmptyOneAnswersZero) {
  const LatencyHistogram histogram;
  EXPECT_EQ(histogram.count(), 0);
  for (const double q : kQuantiles) EXPECT_EQ(histogram.Quantile(q), absl::ZeroDuration());
  EXPECT_EQ(histogram.max(), absl::ZeroDuration());
  EXPECT_EQ(histogram.Mean(), absl::ZeroDuration());
}

TEST(LatencyHistogramTest, WhatIsOutOfRangeGoesToTheEnds) {
  LatencyHistogram histogram;
  histogram.Add(-absl::Seconds(1));
  EXPECT_EQ(histogram.Quantile(1), absl::ZeroDuration());
  histogram.Add(absl::InfiniteDuration());
  EXPECT_EQ(histogram.max(), absl::Nanoseconds(int64_t{1} << 42));
}

TEST(LatencyHistogramTest, MergingIsAddingAll) {
  Random random(2);
  LatencyHistogram all, one, other;
  for (int i = 0; i < 5000; ++i) {
    const absl::Duration latency = absl::Microseconds(random.UniformInt(1, 1'000'000));
    all.Add(latency);
    (i % 3 == 0 ? one : other).Add(latency);
  }
  one.Merge(other);
  EXPECT_EQ(one.count(), all.count());
  EXPECT_EQ(one.max(), all.max());
  for (const double q : kQuantiles) EXPECT_EQ(one.Quantile(q), all.Quantile(q));
  one.Clear();
  EXPECT_EQ(one.count(), 0);
  EXPECT_EQ(one.max(), absl::ZeroDuration());
}

TEST(LatencyHistogramTest, BucketsHoldEverythingInOrder) {
  LatencyHistogram histogram;
  for (const int64_t nanos : {0, 511, 512, 513, 100'000, 100'000}) histogram.Add(absl::Nanoseconds(nanos));
  int64_t count = 0;
  absl::Duration last = -absl::Nanoseconds(1);
  histogram.ForEachBucket([&](absl::Duration low, absl::Duration high, int64_t n) {
    EXPECT_GT(low, last);
    EXPECT_GE(high, low);
    EXPECT_GT(n, 0);
    last = high;
    count += n;
  });
  EXPECT_EQ(count, histogram.count());
  EXPECT_GE(last, absl::Nanoseconds(100'000));
}

}  // namespace
}  // namespace digit
