// Latencies counted in log-linear buckets: small, mergeable, and with a bound on how far off a percentile can be.
//
// Below 512 ns each nanosecond has its bucket; above that each power of two is cut into 256 equal buckets. So a bucket
// is never wider than 1/256 (0.4 %) of what it holds: the scheme of Gil Tene's HdrHistogram. 70 KiB, whatever is added.
// Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/time/time.h"

namespace digit {

class LatencyHistogram {
 public:
  static constexpr double kRelativeError = 1.0 / 256;

  LatencyHistogram();

  // Negative counts as 0, above 2^42 ns (73 minutes) as that.
  void Add(absl::Duration latency);
  void Merge(const LatencyHistogram& other);
  void Clear();

  int64_t count() const { return count_; }
  // Exact. Zero when empty.
  absl::Duration max() const { return absl::Nanoseconds(max_); }
  absl::Duration Mean() const;

  // With v the exact quantile, the ceil(q * count)-th smallest value added (the first for q = 0):
  // v <= Quantile(q) <= v * (1 + kRelativeError), and never above max(). Zero when empty. 0 <= q <= 1.
  absl::Duration Quantile(double q) const;

  // Each bucket that is not empty, in order: its lowest and highest value and how many it holds.
  void ForEachBucket(const std::function<void(absl::Duration low, absl::Duration high, int64_t count)>& visit) const;

 private:
  std::vector<int64_t> buckets_;
  int64_t count_ = 0;
  int64_t max_ = 0;  // nanoseconds
  double sum_ = 0;   // nanoseconds
};

}  // namespace digit
