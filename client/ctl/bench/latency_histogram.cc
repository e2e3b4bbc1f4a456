#include "client/ctl/bench/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace digit {
namespace {

constexpr int kSubBits = 8;
constexpr int64_t kMaxNanos = int64_t{1} << 42;

// Values below 2^(kSubBits+1) are their own index; each further power of two adds 2^kSubBits.
size_t IndexOf(int64_t nanos) {
  const int shift = std::max(0, static_cast<int>(std::bit_width(static_cast<uint64_t>(nanos))) - (kSubBits + 1));
  return (static_cast<size_t>(shift) << kSubBits) + static_cast<size_t>(nanos >> shift);
}

int64_t LowestOf(size_t index) {
  if (index < (size_t{2} << kSubBits)) return static_cast<int64_t>(index);
  const int shift = static_cast<int>(index >> kSubBits) - 1;
  return static_cast<int64_t>((index & ((1u << kSubBits) - 1)) + (1u << kSubBits)) << shift;
}

int64_t HighestOf(size_t index) { return LowestOf(index + 1) - 1; }

}  // namespace

LatencyHistogram::LatencyHistogram() : buckets_(IndexOf(kMaxNanos) + 1) {}

void LatencyHistogram::Add(absl::Duration latency) {
  const int64_t nanos = std::clamp<int64_t>(absl::ToInt64Nanoseconds(latency), 0, kMaxNanos);
  ++buckets_[IndexOf(nanos)];
  ++count_;
  max_ = std::max(max_, nanos);
  sum_ += static_cast<double>(nanos);
}

void LatencyHistogram::Merge(const LatencyHistogram& other) {
  for (size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
  sum_ += other.sum_;
}

void LatencyHistogram::Clear() { *this = LatencyHistogram(); }

absl::Duration LatencyHistogram::Mean() const {
  return count_ == 0 ? absl::ZeroDuration() : absl::Nanoseconds(sum_ / static_cast<double>(count_));
}

absl::Duration LatencyHistogram::Quantile(double q) const {
  const int64_t rank = std::clamp<int64_t>(static_cast<int64_t>(std::ceil(q * static_cast<double>(count_))), 1,
                                           std::max<int64_t>(count_, 1));
  int64_t seen = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= rank) return absl::Nanoseconds(std::min(HighestOf(i), max_));
  }
  return absl::ZeroDuration();
}

void LatencyHistogram::ForEachBucket(
    const std::function<void(absl::Duration low, absl::Duration high, int64_t count)>& visit) const {
  for (size_t i = 0; i < buckets_.size(); ++i) {
    if (buckets_[i] > 0) visit(absl::Nanoseconds(LowestOf(i)), absl::Nanoseconds(HighestOf(i)), buckets_[i]);
  }
}

}  // namespace digit
