#include "model/training/dense_kernels.h"

#include <algorithm>
#include <cstddef>

#include "model/training/conv_kernels.h"

// Scalable vectors cannot be kept in arrays.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/training/dense_kernels.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace digit {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using D = hn::CappedTag<float, 8>;
using V = hn::Vec<D>;
constexpr D d;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(d));
constexpr int kPanelVectors = kPanel / kLanes;

// kRows rows of C by one panel: the sums stay in registers.
template <int kRows>
HWY_INLINE void GemmBlock(int n, int k, const float* HWY_RESTRICT a, int row_stride, int k_stride,
                          const float* HWY_RESTRICT panel, float* HWY_RESTRICT c) {
  V sum[kRows][kPanelVectors];
  for (int row = 0; row < kRows; ++row) {
    for (int v = 0; v < kPanelVectors; ++v) sum[row][v] = hn::Zero(d);
  }
  for (int i = 0; i < k; ++i, a += k_stride, panel += kPanel) {
    V b[kPanelVectors];
    for (int v = 0; v < kPanelVectors; ++v) b[v] = hn::LoadU(d, panel + v * kLanes);
    for (int row = 0; row < kRows; ++row) {
      const V value = hn::Set(d, a[row * row_stride]);
      for (int v = 0; v < kPanelVectors; ++v) sum[row][v] = hn::MulAdd(value, b[v], sum[row][v]);
    }
  }
  for (int row = 0; row < kRows; ++row) {
    for (int v = 0; v < kPanelVectors; ++v) hn::StoreU(sum[row][v], d, c + row * n + v * kLanes);
  }
}

void Gemm(int m, int n, int k, const float* HWY_RESTRICT a, int row_stride, int k_stride,
          const float* HWY_RESTRICT packed, float* HWY_RESTRICT c) {
  constexpr int kBlock = 6;  // 6 rows x 16 columns: 12 of AVX2's 16 registers hold sums
  for (int column = 0; column < n; column += kPanel) {
    const float* panel = packed + static_cast<ptrdiff_t>(column) * k;
    int row = 0;
    for (; row + kBlock <= m; row += kBlock) {
      GemmBlock<kBlock>(n, k, a + row * row_stride, row_stride, k_stride, panel, c + row * n + column);
    }
    for (; row + 2 <= m; row += 2) {
      GemmBlock<2>(n, k, a + row * row_stride, row_stride, k_stride, panel, c + row * n + column);
    }
    if (row < m) GemmBlock<1>(n, k, a + row * row_stride, row_stride, k_stride, panel, c + row * n + column);
  }
}

void UpdateWeights(const AdamStep& step, int count, int shards, const float* HWY_RESTRICT gradients, int shard_stride,
                   float* HWY_RESTRICT weight, float* HWY_RESTRICT momentum, float* HWY_RESTRICT variance,
                   float* HWY_RESTRICT average) {
  const float keep = 1.0f - step.learning_rate * step.weight_decay;
  const float rate = step.learning_rate / step.correction1;
  const float variance_scale = 1.0f / step.correction2;
  for (int i = 0; i < count; i += kLanes) {  // count is a multiple of 8
    V g = hn::LoadU(d, gradients + i);
    for (int shard = 1; shard < shards; ++shard) {
      g = hn::Add(g, hn::LoadU(d, gradients + static_cast<ptrdiff_t>(shard) * shard_stride + i));
    }
    V m = hn::LoadU(d, momentum + i);
    V v = hn::LoadU(d, variance + i);
    V w = hn::LoadU(d, weight + i);
    const V e = hn::LoadU(d, average + i);
    m = hn::MulAdd(hn::Set(d, 1.0f - step.beta1), hn::Sub(g, m), m);
    v = hn::MulAdd(hn::Set(d, 1.0f - step.beta2), hn::Sub(hn::Mul(g, g), v), v);
    const V scale = hn::Add(hn::Sqrt(hn::Mul(v, hn::Set(d, variance_scale))), hn::Set(d, step.epsilon));
    w = hn::Sub(hn::Mul(w, hn::Set(d, keep)), hn::Div(hn::Mul(hn::Set(d, rate), m), scale));
    hn::StoreU(m, d, momentum + i);
    hn::StoreU(v, d, variance + i);
    hn::StoreU(w, d, weight + i);
    hn::StoreU(hn::MulAdd(hn::Set(d, step.average_rate), hn::Sub(w, e), e), d, average + i);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace digit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace digit {

HWY_EXPORT(Gemm);
HWY_EXPORT(UpdateWeights);

void PackPanels(const float* b, int rows, int row_stride, int column_stride, int first_panel, int last_panel,
                float* packed) {
  for (int panel = first_panel; panel < last_panel; ++panel) {
    float* to = packed + static_cast<ptrdiff_t>(panel) * kPanel * rows;
    const float* from = b + static_cast<ptrdiff_t>(panel) * kPanel * column_stride;
    for (int row = 0; row < rows; ++row) {
      for (int column = 0; column < kPanel; ++column) {
        to[row * kPanel + column] = from[row * row_stride + column * column_stride];
      }
    }
  }
}

void Gemm(int m, int n, int k, const float* a, int row_stride, int k_stride, const float* packed, float* c) {
  HWY_DYNAMIC_DISPATCH(Gemm)(m, n, k, a, row_stride, k_stride, packed, c);
}

void UpdateWeights(const AdamStep& step, int count, int shards, const float* gradients, int shard_stride, float* weight,
                   float* momentum, float* variance, float* average) {
  HWY_DYNAMIC_DISPATCH(UpdateWeights)
  (step, count, shards, gradients, shard_stride, weight, momentum, variance, average);
}

}  // namespace digit
#endif  // HWY_ONCE
