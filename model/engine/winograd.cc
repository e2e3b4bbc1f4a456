#include "model/engine/winograd.h"

#include "model/engine/digit_cnn.h"
#include "model/engine/simd_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/engine/winograd.cc"
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

constexpr int kIn = 7;   // inputs and points of a tile in one direction
constexpr int kOut = 5;  // outputs
constexpr int kOutSide = 2 * kOut;

HWY_INLINE V PlusTimes(V sum, float factor, V value) { return hn::MulAdd(hn::Set(d, factor), value, sum); }

// B' in one direction. Row i holds the coefficients of the product of (x - p) over all points p but the i-th, the last
// row those of the product over all: x (x^2 - 1) (x^2 - 4) (x + 1/2). Without the division by the differences of the
// points, which G has. All rows but that of -1/2 have the factor (x + 1/2): `e` is `in` times that.
HWY_INLINE void ToPoints(const V (&in)[kIn], V (&out)[kIn]) {
  V e[6];
  for (int i = 0; i < 6; ++i) e[i] = PlusTimes(in[i + 1], 0.5f, in[i]);
  out[0] = PlusTimes(PlusTimes(e[4], -5, e[2]), 4, e[0]);
  const V even1 = PlusTimes(e[4], -4, e[2]), odd1 = PlusTimes(e[3], -4, e[1]);
  out[1] = hn::Add(even1, odd1);
  out[2] = hn::Sub(even1, odd1);
  const V even2 = hn::Sub(e[4], e[2]), odd2 = hn::Sub(e[3], e[1]);
  out[3] = PlusTimes(even2, 2, odd2);
  out[4] = PlusTimes(even2, -2, odd2);
  out[5] = PlusTimes(PlusTimes(in[5], -5, in[3]), 4, in[1]);
  out[6] = PlusTimes(PlusTimes(e[5], -5, e[3]), 4, e[1]);
}

// A' in one direction: row i holds the i-th powers of the points; infinity counts for the highest only.
HWY_INLINE void FromPoints(const V (&in)[kIn], V (&out)[kOut]) {
  const V sum1 = hn::Add(in[1], in[2]), difference1 = hn::Sub(in[1], in[2]);
  const V sum2 = hn::Add(in[3], in[4]), difference2 = hn::Sub(in[3], in[4]);
  out[0] = hn::Add(hn::Add(in[0], in[5]), hn::Add(sum1, sum2));
  out[1] = PlusTimes(PlusTimes(difference1, 2, difference2), -0.5f, in[5]);
  out[2] = PlusTimes(PlusTimes(sum1, 4, sum2), 0.25f, in[5]);
  out[3] = PlusTimes(PlusTimes(difference1, 8, difference2), -0.125f, in[5]);
  out[4] = hn::Add(PlusTimes(PlusTimes(sum1, 16, sum2), 0.0625f, in[5]), in[6]);
}

// Columns first, then rows.
HWY_INLINE void TransformInputTile(const float* HWY_RESTRICT corner, int channels, float* HWY_RESTRICT points) {
  V half[kIn][kIn];  // [point][column]
  for (int x = 0; x < kIn; ++x) {
    V column[kIn], transformed[kIn];
    for (int y = 0; y < kIn; ++y) column[y] = hn::LoadU(d, corner + (y * kMapSide + x) * channels);
    ToPoints(column, transformed);
    for (int p = 0; p < kIn; ++p) half[p][x] = transformed[p];
  }
  for (int p = 0; p < kIn; ++p) {
    V transformed[kIn];
    ToPoints(half[p], transformed);
    for (int q = 0; q < kIn; ++q) hn::StoreU(transformed[q], d, points + (p * kIn + q) * PointStride(channels));
  }
}

void TransformInput(const float* HWY_RESTRICT map, int channels, float* HWY_RESTRICT points) {
  for (int tile = 0; tile < kTiles; ++tile) {
    const float* corner = map + (tile / 2 * kMapSide + tile % 2) * kOut * channels;
    for (int c = 0; c < channels; c += kLanes) {
      TransformInputTile(corner + c, channels, points + tile * channels + c);
    }
  }
}

HWY_INLINE void TransformOutputTile(const float* HWY_RESTRICT products, ptrdiff_t stride, V* corner) {
  V half[kOut][kIn];  // [output row][point]
  for (int q = 0; q < kIn; ++q) {
    V column[kIn], transformed[kOut];
    for (int p = 0; p < kIn; ++p) column[p] = hn::LoadU(d, products + (p * kIn + q) * stride);
    FromPoints(column, transformed);
    for (int y = 0; y < kOut; ++y) half[y][q] = transformed[y];
  }
  for (int y = 0; y < kOut; ++y) {
    V transformed[kOut];
    FromPoints(half[y], transformed);
    for (int x = 0; x < kOut; ++x) corner[y * kOutSide + x] = transformed[x];
  }
}

// A pooling window may lie across tiles: all 100 outputs of a vector of channels, then their maxima.
void TransformOutputAndPool(const float* HWY_RESTRICT products, const float* HWY_RESTRICT bias, int channels,
                            float* HWY_RESTRICT pooled) {
  for (int c = 0; c < channels; c += kLanes) {
    V out[kOutSide * kOutSide];
    for (int tile = 0; tile < kTiles; ++tile) {
      TransformOutputTile(products + tile * channels + c, PointStride(channels),
                          out + (tile / 2 * kOutSide + tile % 2) * kOut);
    }
    const V b = hn::LoadU(d, bias + c);
    for (int window = 0; window < kFeaturePixels; ++window) {
      const V* o = out + 2 * (window / kFeatureSide * kOutSide + window % kFeatureSide);
      const V top = hn::Max(hn::Max(o[0], o[1]), hn::Max(o[kOutSide], o[kOutSide + 1]));
      hn::StoreU(hn::Max(hn::Add(top, b), hn::Zero(d)), d, pooled + window * channels + c);
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace digit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace digit {

HWY_EXPORT(TransformInput);
HWY_EXPORT(TransformOutputAndPool);

void TransformKernel(const float* kernel, float* points) {
  // G: the powers of each point, divided by the product of its differences from the other points.
  constexpr double kG[7][3] = {{1 / 2.0, 0, 0},
                               {-1 / 9.0, -1 / 9.0, -1 / 9.0},
                               {1 / 3.0, -1 / 3.0, 1 / 3.0},
                               {1 / 60.0, 2 / 60.0, 4 / 60.0},
                               {-1 / 36.0, 2 / 36.0, -4 / 36.0},
                               {-32 / 45.0, 16 / 45.0, -8 / 45.0},
                               {0, 0, 1}};
  for (int p = 0; p < 7; ++p) {
    for (int q = 0; q < 7; ++q) {
      double sum = 0;
      for (int tap = 0; tap < 9; ++tap) sum += kG[p][tap / 3] * kG[q][tap % 3] * kernel[tap];
      points[p * 7 + q] = static_cast<float>(sum);
    }
  }
}

void TransformInput(const float* map, int channels, float* points) {
  HWY_DYNAMIC_DISPATCH(TransformInput)(map, channels, points);
}

void TransformOutputAndPool(const float* products, const float* bias, int channels, float* pooled) {
  HWY_DYNAMIC_DISPATCH(TransformOutputAndPool)(products, bias, channels, pooled);
}

}  // namespace digit
#endif  // HWY_ONCE
