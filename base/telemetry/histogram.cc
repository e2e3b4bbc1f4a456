#include "base/telemetry/histogram.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/check.h"

namespace digit {

Histogram::Buckets Histogram::Seconds() {
  constexpr int64_t kMicro = 1000, kMilli = 1000 * kMicro, kSecond = 1000 * kMilli;
  Buckets buckets{.bounds = {50 * kMicro}, .per_unit = kSecond};
  for (int64_t decade = 100 * kMicro; decade < 10 * kSecond; decade *= 10) {
    for (const int64_t bound : {decade, decade * 5 / 2, decade * 5}) buckets.bounds.push_back(bound);
  }
  buckets.bounds.push_back(10 * kSecond);
  return buckets;
}

Histogram::Buckets Histogram::PowersOfTwo() {
  Buckets buckets;
  for (int64_t bound = 1; bound <= 1024; bound *= 2) buckets.bounds.push_back(bound);
  return buckets;
}

Histogram::Histogram(Buckets buckets)
    : buckets_(std::move(buckets)),
      lines_per_cell_((2 + buckets_.bounds.size() + kNumbersPerLine - 1) / kNumbersPerLine),
      lines_(kTelemetryCells * lines_per_cell_) {
  const auto& bounds = buckets_.bounds;
  DIGIT_CHECK(std::adjacent_find(bounds.begin(), bounds.end(), std::greater_equal<>()) == bounds.end());
}

void Histogram::Observe(int64_t value) {
  const size_t bucket =
      std::lower_bound(buckets_.bounds.begin(), buckets_.bounds.end(), value) - buckets_.bounds.begin();
  const size_t cell = TelemetryCell();
  const auto add = [this, cell](size_t number, int64_t n) {
    lines_[cell * lines_per_cell_ + number / kNumbersPerLine].numbers[number % kNumbersPerLine].fetch_add(
        n, std::memory_order_relaxed);
  };
  add(0, value);
  add(1 + bucket, 1);
}

int64_t Histogram::Reading::count() const { return std::accumulate(counts.begin(), counts.end(), int64_t{0}); }

Histogram::Reading Histogram::Read() const {
  const auto sum_of = [this](size_t number) {
    int64_t sum = 0;
    for (size_t cell = 0; cell < kTelemetryCells; ++cell) sum += At(cell, number).load(std::memory_order_relaxed);
    return sum;
  };
  Reading reading;
  for (const int64_t bound : buckets_.bounds) reading.bounds.push_back(static_cast<double>(bound) / buckets_.per_unit);
  for (size_t i = 0; i <= buckets_.bounds.size(); ++i) reading.counts.push_back(sum_of(1 + i));
  reading.sum = static_cast<double>(sum_of(0)) / buckets_.per_unit;
  return reading;
}

}  // namespace digit
