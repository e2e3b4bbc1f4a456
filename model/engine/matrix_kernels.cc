#include "model/engine/matrix_kernels.h"

#include <cstdint>
#include <limits>
#include <type_traits>

#include "model/engine/simd_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/engine/matrix_kernels.cc"
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

// Rows by vectors of a block whose sums stay in registers: with 16 registers, as AVX2 has, some 8 sums keep both
// multipliers busy and 12 are the most.
constexpr int kMaxRows = 6;
constexpr int kUnroll = 4;  // divides `inner`, which is padded
constexpr int kNarrow = kChannelBlock >= 2 * kLanes ? 2 : 1;

constexpr float kLowest = -std::numeric_limits<float>::infinity();

// Columns of one panel and the rest of what one block needs.
struct Columns {
  int inner;
  int width;             // of the panel: from one row of weights to the next
  const float* weights;  // of the first column
  const float* bias;     // nullptr: none
  float floor;           // sums below it become it
  ptrdiff_t c_stride;
};

template <int kRows, int kVectors>
HWY_INLINE void Block(const Columns& w, const float* HWY_RESTRICT a, float* HWY_RESTRICT c) {
  V sum[kRows][kVectors];
  for (int v = 0; v < kVectors; ++v) {
    const V begin = w.bias != nullptr ? hn::LoadU(d, w.bias + v * kLanes) : hn::Zero(d);
    for (int row = 0; row < kRows; ++row) sum[row][v] = begin;
  }
  const float* HWY_RESTRICT weights = w.weights;
  const ptrdiff_t width = w.width;
  const int inner = w.inner;
  for (int i = 0; i < inner; i += kUnroll) {
    for (int u = 0; u < kUnroll; ++u, weights += width) {
      V weight[kVectors];
      for (int v = 0; v < kVectors; ++v) weight[v] = hn::LoadU(d, weights + v * kLanes);
      for (int row = 0; row < kRows; ++row) {
        const V value = hn::Set(d, a[row * inner + i + u]);
        for (int v = 0; v < kVectors; ++v) sum[row][v] = hn::MulAdd(value, weight[v], sum[row][v]);
      }
    }
  }
  const V floor = hn::Set(d, w.floor);
  for (int row = 0; row < kRows; ++row) {
    for (int v = 0; v < kVectors; ++v) hn::StoreU(hn::Max(sum[row][v], floor), d, c + row * w.c_stride + v * kLanes);
  }
}

// As many rows as there are, in blocks of even size.
template <int kVectors>
HWY_INLINE void MultiplyRows(int rows, const Columns& w, const float* a, float* c) {
  for (int blocks = (rows + kMaxRows - 1) / kMaxRows; blocks > 0; --blocks) {
    const int now = (rows + blocks - 1) / blocks;
    switch (now) {
      case 1:
        Block<1, kVectors>(w, a, c);
        break;
      case 2:
        Block<2, kVectors>(w, a, c);
        break;
      case 3:
        Block<3, kVectors>(w, a, c);
        break;
      case 4:
        Block<4, kVectors>(w, a, c);
        break;
      case 5:
        Block<5, kVectors>(w, a, c);
        break;
      default:
        Block<kMaxRows, kVectors>(w, a, c);
        break;
    }
    rows -= now;
    a += ptrdiff_t{now} * w.inner;
    c += now * w.c_stride;
  }
}

// Calls multiply(vectors, columns, first column) for all columns, `kWide` vectors at a time where a panel has room for
// them.
template <int kWide, typename Multiply>
HWY_INLINE void ForColumns(const PackedMatrix& m, const float* bias, Activation activation, const Multiply& multiply) {
  for (int panel = 0; panel < m.columns; panel += m.panel) {
    const int width = HWY_MIN(m.panel, m.columns - panel);
    Columns w{.inner = m.inner,
              .width = width,
              .weights = m.weights + ptrdiff_t{panel} * m.inner,
              .bias = bias == nullptr ? nullptr : bias + panel,
              .floor = activation == Activation::kRelu ? 0 : kLowest,
              .c_stride = m.columns};
    const auto advance = [&](int vectors) HWY_ATTR {
      w.weights += vectors * kLanes;
      if (w.bias != nullptr) w.bias += vectors * kLanes;
    };
    int column = 0;
    for (; column + kWide * kLanes <= width; column += kWide * kLanes, advance(kWide)) {
      multiply(std::integral_constant<int, kWide>(), w, panel + column);
    }
    for (; column < width; column += kNarrow * kLanes, advance(kNarrow)) {
      multiply(std::integral_constant<int, kNarrow>(), w, panel + column);
    }
  }
}

void MultiplyTiles(int count, const PackedMatrix& m, const float* a, ptrdiff_t a_step, float* c, ptrdiff_t c_step) {
  Columns w{.inner = m.inner,
            .width = kTilesPanel,
            .weights = m.weights,
            .bias = nullptr,
            .floor = kLowest,
            .c_stride = m.columns};
  for (int i = 0; i < count; ++i, a += a_step, c += c_step) {
    for (int panel = 0; panel < m.columns; panel += kTilesPanel) {
      for (int column = 0; column < kTilesPanel; column += kNarrow * kLanes) {
        Block<kTiles, kNarrow>(w, a, c + panel + column);
        w.weights += kNarrow * kLanes;
      }
      w.weights += ptrdiff_t{m.inner - 1} * kTilesPanel;
    }
  }
}

void MultiplyAddBias(int rows, const PackedMatrix& m, const float* bias, Activation activation, const float* a,
                     float* c) {
  ForColumns<kNarrow>(m, bias, activation, [&](auto vectors, const Columns& w, int column) HWY_ATTR {
    MultiplyRows<vectors()>(rows, w, a, c + column);
  });
}

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

template <int kVectors>
HWY_INLINE void AddNonZeros(const Columns& w, const float* HWY_RESTRICT a, const NonZeros& alive,
                            float* HWY_RESTRICT c) {
  constexpr int kLineFloats = 16;
  V sum[kVectors];
  for (int v = 0; v < kVectors; ++v) sum[v] = hn::LoadU(d, c + v * kLanes);
  for (int n = 0; n < alive.count; ++n) {
    const float* next = w.weights + ptrdiff_t{alive.index[n + kAhead]} * w.width;
    for (int line = 0; line < kVectors * kLanes; line += kLineFloats) hwy::Prefetch(next + line);
    const V value = hn::Set(d, a[alive.index[n]]);
    const float* weights = w.weights + ptrdiff_t{alive.index[n]} * w.width;
    for (int v = 0; v < kVectors; ++v) sum[v] = hn::MulAdd(value, hn::LoadU(d, weights + v * kLanes), sum[v]);
  }
  for (int v = 0; v < kVectors; ++v) hn::StoreU(sum[v], d, c + v * kLanes);
}

void MultiplySparseRow(const PackedMatrix& w, const float* HWY_RESTRICT bias, Activation activation,
                       const float* HWY_RESTRICT a, float* HWY_RESTRICT c) {
  std::copy_n(bias, w.columns, c);
  for (int begin = 0; begin < w.inner; begin += kStretch) {
    NonZeros alive;
    FindNonZeros(a, begin, HWY_MIN(w.inner, begin + kStretch), alive);
    ForColumns<8>(w, nullptr, activation, [&](auto vectors, const Columns& columns, int column) HWY_ATTR {
      AddNonZeros<vectors()>(columns, a, alive, c + column);
    });
  }
  if (activation == Activation::kNone) return;
  for (int i = 0; i < w.columns; i += kLanes) hn::StoreU(hn::Max(hn::LoadU(d, c + i), hn::Zero(d)), d, c + i);
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

HWY_EXPORT(MultiplyTiles);
HWY_EXPORT(MultiplyAddBias);
HWY_EXPORT(MultiplySparseRow);
HWY_EXPORT(CountNonZero);

void MultiplyTiles(int count, const PackedMatrix& w, const float* a, ptrdiff_t a_step, float* c, ptrdiff_t c_step) {
  HWY_DYNAMIC_DISPATCH(MultiplyTiles)(count, w, a, a_step, c, c_step);
}

void MultiplyAddBias(int rows, const PackedMatrix& w, const float* bias, Activation activation, const float* a,
                     float* c) {
  HWY_DYNAMIC_DISPATCH(MultiplyAddBias)(rows, w, bias, activation, a, c);
}

void MultiplySparseRow(const PackedMatrix& w, const float* bias, Activation activation, const float* a, float* c) {
  HWY_DYNAMIC_DISPATCH(MultiplySparseRow)(w, bias, activation, a, c);
}

int CountNonZero(const float* a, int count) { return HWY_DYNAMIC_DISPATCH(CountNonZero)(a, count); }

}  // namespace digit
#endif  // HWY_ONCE
