#include "model/engine/conv1_kernel.h"

#include <cstring>

#include "model/engine/simd_targets.h"
#include "model/spec/model_spec.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/engine/conv1_kernel.cc"
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

constexpr int kCropSide = 2 * kMapSide + 2;
constexpr int kWindows = kMapSide * kMapSide;
constexpr int kPatchSide = 4;  // what the four outputs of a window see

// Windows with ink in sight: where their patch begins in the crop, and which they are.
struct Windows {
  int count = 0;
  int patch[kWindows];
  int index[kWindows];
};

void FindInk(const uint8_t* pixels, Windows& found) {
  for (int i = 0; i < kWindows; ++i) {
    const int y = 2 * (i / kMapSide), x = 2 * (i % kMapSide);
    uint32_t ink = 0;
    for (int row = 0; row < kPatchSide; ++row) {
      uint32_t four;
      static_assert(sizeof four == kPatchSide);
      std::memcpy(&four, pixels + (y + row) * kImageSide + x, sizeof four);
      ink |= four;
    }
    // Written always and counted when there is ink: no branch to mispredict.
    found.patch[found.count] = y * kCropSide + x;
    found.index[found.count] = i;
    found.count += ink != 0 ? 1 : 0;
  }
}

// One window, one vector of channels; every pixel is loaded once.
HWY_INLINE V Window(const float* patch, const V (&weights)[9]) {
  V sum[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  for (int y = 0; y < kPatchSide; ++y) {
    for (int x = 0; x < kPatchSide; ++x) {
      const V pixel = hn::Set(d, patch[y * kCropSide + x]);
      for (int position = 0; position < 4; ++position) {
        const int tap_y = y - position / 2, tap_x = x - position % 2;
        if (tap_y < 0 || tap_y > 2 || tap_x < 0 || tap_x > 2) continue;
        sum[position] = hn::MulAdd(pixel, weights[tap_y * 3 + tap_x], sum[position]);
      }
    }
  }
  return hn::Max(hn::Max(sum[0], sum[1]), hn::Max(sum[2], sum[3]));
}

void Conv1(const uint8_t* HWY_RESTRICT pixels, const float* HWY_RESTRICT weights, const float* HWY_RESTRICT bias,
           int channels, float* HWY_RESTRICT map) {
  alignas(64) float crop[kCropSide * kCropSide];
  for (int y = 0; y < kCropSide; ++y) {
    for (int x = 0; x < kCropSide; ++x) crop[y * kCropSide + x] = pixels[y * kImageSide + x];
  }
  Windows ink;
  FindInk(pixels, ink);
  for (int channel = 0; channel < channels; channel += kLanes) {
    V tap[9];
    for (int t = 0; t < 9; ++t) tap[t] = hn::LoadU(d, weights + t * channels + channel);
    const V b = hn::LoadU(d, bias + channel);
    const V paper = hn::Max(b, hn::Zero(d));
    for (int i = 0; i < kWindows; ++i) hn::StoreU(paper, d, map + i * channels + channel);
    for (int i = 0; i < ink.count; ++i) {
      const V top = Window(crop + ink.patch[i], tap);
      hn::StoreU(hn::Max(hn::Add(top, b), hn::Zero(d)), d, map + ink.index[i] * channels + channel);
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace digit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace digit {

HWY_EXPORT(Conv1);

void Conv1(const uint8_t* pixels, const float* weights, const float* bias, int channels, float* map) {
  HWY_DYNAMIC_DISPATCH(Conv1)(pixels, weights, bias, channels, map);
}

}  // namespace digit
#endif  // HWY_ONCE
