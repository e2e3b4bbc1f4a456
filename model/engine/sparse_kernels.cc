#include "model/engine/sparse_kernels.h"

#include <algorithm>
#include <cstdint>

#include "model/engine/simd_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/engine/sparse_kernels.cc"
#include "hwy/cache_control.h"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace digit {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::CappedTag<float, kChannelBlock>;
using V = hn::Vec<D>;
constexpr D d;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(d));

// Indices of the values that are not zero, of a stretch of the row that keeps the list small.
constexpr int kStretch = 2048;
constexpr int kAhead = 8;  // how far weights are fetched in advance: the processor cannot guess what will be skipped
struct NonZeros {
  int count;
  int32_t index[kStretch + kAhead];
};

// By bits: Compress() of Highway 1.0.3 copies its table to the stack for every vector under GCC 12.
void FindNonZeros(const float* a, int begin, int end, NonZeros& found) {
  constexpr int kBits = 64;
  found.count = 0;
  for (int i = begin; i < end; i += kBits) {
    uint64_t alive = 0;
    for (int bit = 0; bit < HWY_MIN(kBits, end - i); bit += kLanes) {
      uint64_t bits = 0;
      hn::StoreMaskBits(d, hn::Ne(hn::LoadU(d, a + i + bit), hn::Zero(d)), reinterpret_cast<uint8_t*>(&bits));
      alive |= bits << bit;
    }
    for (; alive != 0; alive &= alive - 1) {
      found.index[found.count++] = i + static_cast<int>(hwy::Num0BitsBelowLS1Bit_Nonzero64(alive));
    }
  }
  std::fill_n(found.index + found.count, kAhead, begin);
}

// Adds to kVectors * kLanes sums at `sums`; `weights` are theirs in row 0 of a panel `width` columns wide.
template <int kVectors>
HWY_INLINE void AddNonZeros(const NonZeros& alive, const float* HWY_RESTRICT a, const float* HWY_RESTRICT weights,
                            ptrdiff_t width, float* HWY_RESTRICT sums) {
  constexpr int kLineFloats = 16;
  V sum[kVectors];
  for (int v = 0; v < kVectors; ++v) sum[v] = hn::LoadU(d, sums + v * kLanes);
  for (int n = 0; n < alive.count; ++n) {
    const float* next = weights + alive.index[n + kAhead] * width;
    for (int line = 0; line < kVectors * kLanes; line += kLineFloats) hwy::Prefetch(next + line);
    const V value = hn::Set(d, a[alive.index[n]]);
    const float* row = weights + alive.index[n] * width;
    for (int v = 0; v < kVectors; ++v) sum[v] = hn::MulAdd(value, hn::LoadU(d, row + v * kLanes), sum[v]);
  }
  for (int v = 0; v < kVectors; ++v) hn::StoreU(sum[v], d, sums + v * kLanes);
}

void AddStretch(const PackedMatrix& m, const NonZeros& alive, const float* a, float* sums) {
  constexpr int kWide = 8, kNarrow = kChannelBlock / kLanes;  // vectors: half of 16 registers; what is left of a panel
  for (int panel = 0; panel < m.columns; panel += m.panel) {
    const int end = HWY_MIN(panel + m.panel, m.columns), width = end - panel;
    int column = panel;
    for (; column + kWide * kLanes <= end; column += kWide * kLanes) {
      AddNonZeros<kWide>(alive, a, m.weights + m.Index(0, column), width, sums + column);
    }
    for (; column < end; column += kNarrow * kLanes) {
      AddNonZeros<kNarrow>(alive, a, m.weights + m.Index(0, column), width, sums + column);
    }
  }
}

void MultiplySparseRow(const PackedMatrix& m, const float* HWY_RESTRICT bias, Activation activation,
                       const float* HWY_RESTRICT a, float* HWY_RESTRICT c) {
  std::copy_n(bias, m.columns, c);
  for (int begin = 0; begin < m.inner; begin += kStretch) {
    NonZeros alive;
    FindNonZeros(a, begin, HWY_MIN(m.inner, begin + kStretch), alive);
    AddStretch(m, alive, a, c);
  }
  if (activation == Activation::kNone) return;
  for (int i = 0; i < m.columns; i += kLanes) hn::StoreU(hn::Max(hn::LoadU(d, c + i), hn::Zero(d)), d, c + i);
}

int CountNonZero(const float* a, int count) {
  int zeros = 0;
  for (int i = 0; i < count; i += kLanes) {
    zeros += static_cast<int>(hn::CountTrue(d, hn::Eq(hn::LoadU(d, a + i), hn::Zero(d))));
  }
  return count - zeros;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace digit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace digit {

HWY_EXPORT(MultiplySparseRow);
HWY_EXPORT(CountNonZero);

void MultiplySparseRow(const PackedMatrix& m, const float* bias, Activation activation, const float* a, float* c) {
  HWY_DYNAMIC_DISPATCH(MultiplySparseRow)(m, bias, activation, a, c);
}

int CountNonZero(const float* a, int count) { return HWY_DYNAMIC_DISPATCH(CountNonZero)(a, count); }

}  // namespace digit
#endif  // HWY_ONCE
