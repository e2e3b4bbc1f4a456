#include "model/engine/matrix_kernels.h"

#include <limits>

#include "model/engine/simd_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/engine/matrix_kernels.cc"
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
constexpr int kVectors = kChannelBlock >= 2 * kLanes ? 2 : 1;
constexpr int kStep = kVectors * kLanes;

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

template <int kRows>
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
void MultiplyRows(int rows, const Columns& w, const float* a, float* c) {
  for (int blocks = (rows + kMaxRows - 1) / kMaxRows; blocks > 0; --blocks) {
    const int now = (rows + blocks - 1) / blocks;
    switch (now) {
      case 1:
        Block<1>(w, a, c);
        break;
      case 2:
        Block<2>(w, a, c);
        break;
      case 3:
        Block<3>(w, a, c);
        break;
      case 4:
        Block<4>(w, a, c);
        break;
      case 5:
        Block<5>(w, a, c);
        break;
      default:
        Block<kMaxRows>(w, a, c);
        break;
    }
    rows -= now;
    a += ptrdiff_t{now} * w.inner;
    c += now * w.c_stride;
  }
}

void MultiplyTiles(int count, const PackedMatrix& m, const float* a, ptrdiff_t a_step, float* c, ptrdiff_t c_step) {
  const float* matrix = m.weights;
  for (int i = 0; i < count; ++i, a += a_step, c += c_step, matrix += ptrdiff_t{m.inner} * m.columns) {
    for (int column = 0; column < m.columns; column += kStep) {
      const Columns w{.inner = m.inner,
                      .width = kTilesPanel,
                      .weights = matrix + column / kTilesPanel * kTilesPanel * m.inner + column % kTilesPanel,
                      .bias = nullptr,
                      .floor = kLowest,
                      .c_stride = m.columns};
      Block<kTiles>(w, a, c + column);
    }
  }
}

void MultiplyAddBias(int rows, const PackedMatrix& m, const float* bias, Activation activation, const float* a,
                     float* c) {
  for (int panel = 0; panel < m.columns; panel += m.panel) {
    const int end = HWY_MIN(panel + m.panel, m.columns);
    for (int column = panel; column < end; column += kStep) {
      const Columns w{.inner = m.inner,
                      .width = end - panel,
                      .weights = m.weights + m.Index(0, column),
                      .bias = bias + column,
                      .floor = activation == Activation::kRelu ? 0 : kLowest,
                      .c_stride = m.columns};
      MultiplyRows(rows, w, a, c + column);
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace digit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace digit {

HWY_EXPORT(MultiplyTiles);
HWY_EXPORT(MultiplyAddBias);

void MultiplyTiles(int count, const PackedMatrix& w, const float* a, ptrdiff_t a_step, float* c, ptrdiff_t c_step) {
  HWY_DYNAMIC_DISPATCH(MultiplyTiles)(count, w, a, a_step, c, c_step);
}

void MultiplyAddBias(int rows, const PackedMatrix& w, const float* bias, Activation activation, const float* a,
                     float* c) {
  HWY_DYNAMIC_DISPATCH(MultiplyAddBias)(rows, w, bias, activation, a, c);
}

}  // namespace digit
#endif  // HWY_ONCE
