#include "model/training/conv_kernels.h"

#include <algorithm>
#include <array>
#include <cstddef>

// Scalable vectors cannot be kept in arrays.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/training/conv_kernels.cc"
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
constexpr int kRow = 3 * kConv1Channels;  // one kernel row of a patch: contiguous in a channels-last picture
constexpr int kRowVectors = kRow / kLanes;
constexpr int kPanelVectors = kPanel / kLanes;
constexpr int kPool1Row = kPool1Side * kConv1Channels;

// relu(max(a, b, c, e) + bias) and which of the four it was.
HWY_INLINE void PoolAndRelu(V a, V b, V c, V e, V bias, float* pooled, float* winner) {
  const V top = hn::Max(hn::Max(a, b), hn::Max(c, e));
  V which = hn::Set(d, 3.0f);
  which = hn::IfThenElse(hn::Eq(c, top), hn::Set(d, 2.0f), which);
  which = hn::IfThenElse(hn::Eq(b, top), hn::Set(d, 1.0f), which);
  which = hn::IfThenElse(hn::Eq(a, top), hn::Zero(d), which);
  hn::StoreU(hn::Max(hn::Add(top, bias), hn::Zero(d)), d, pooled);
  hn::StoreU(which, d, winner);
}

// One window of conv1, kPanel channels from `weight`.
HWY_INLINE void Conv1Window(const float* input, const float* weight, const float* bias, float* pooled, float* winner) {
  V sum[4][kPanelVectors];
  for (int position = 0; position < 4; ++position) {
    for (int v = 0; v < kPanelVectors; ++v) sum[position][v] = hn::Zero(d);
  }
  for (int tap = 0; tap < 9; ++tap) {
    const float* x = input + tap / 3 * kInputSide + tap % 3;
    for (int v = 0; v < kPanelVectors; ++v) {
      const V w = hn::LoadU(d, weight + tap * kConv1Channels + v * kLanes);
      for (int position = 0; position < 4; ++position) {
        const V value = hn::Set(d, x[position / 2 * kInputSide + position % 2]);
        sum[position][v] = hn::MulAdd(value, w, sum[position][v]);
      }
    }
  }
  for (int v = 0; v < kPanelVectors; ++v) {
    PoolAndRelu(sum[0][v], sum[1][v], sum[2][v], sum[3][v], hn::LoadU(d, bias + v * kLanes), pooled + v * kLanes,
                winner + v * kLanes);
  }
}

void Conv1Forward(const float* HWY_RESTRICT input, const float* HWY_RESTRICT weight, const float* HWY_RESTRICT bias,
                  float* HWY_RESTRICT pooled, float* HWY_RESTRICT winner) {
  for (int window = 0; window < kPool1Side * kPool1Side; ++window) {
    const float* x = input + window / kPool1Side * 2 * kInputSide + window % kPool1Side * 2;
    for (int channel = 0; channel < kConv1Channels; channel += kPanel) {
      const int at = window * kConv1Channels + channel;
      Conv1Window(x, weight + channel, bias + channel, pooled + at, winner + at);
    }
  }
}

// Five neighbouring outputs of conv2 for one panel of channels: as many sums as registers hold.
HWY_INLINE void Conv2Run(const float* HWY_RESTRICT x, const float* HWY_RESTRICT panel, float* HWY_RESTRICT out) {
  constexpr int kRun = 5;
  V sum[kRun][kPanelVectors];
  for (int i = 0; i < kRun; ++i) {
    for (int v = 0; v < kPanelVectors; ++v) sum[i][v] = hn::Zero(d);
  }
  for (int kernel_row = 0; kernel_row < 3; ++kernel_row) {
    const float* row = x + kernel_row * kPool1Row;
    for (int k = 0; k < kRow; ++k, panel += kPanel) {
      V w[kPanelVectors];
      for (int v = 0; v < kPanelVectors; ++v) w[v] = hn::LoadU(d, panel + v * kLanes);
      for (int i = 0; i < kRun; ++i) {
        const V value = hn::Set(d, row[i * kConv1Channels + k]);
        for (int v = 0; v < kPanelVectors; ++v) sum[i][v] = hn::MulAdd(value, w[v], sum[i][v]);
      }
    }
  }
  for (int i = 0; i < kRun; ++i) {
    for (int v = 0; v < kPanelVectors; ++v) hn::StoreU(sum[i][v], d, out + i * kPanel + v * kLanes);
  }
}

void Conv2Forward(const float* HWY_RESTRICT pooled1, const float* HWY_RESTRICT packed, const float* HWY_RESTRICT bias,
                  float* HWY_RESTRICT pooled, float* HWY_RESTRICT winner) {
  constexpr int kSide = 2 * kPool2Side;
  alignas(64) float out[2 * kSide * kPanel];  // two rows: one row of windows
  for (int channel = 0; channel < kConv2Channels; channel += kPanel) {
    const float* panel = packed + channel * kPatch;
    for (int window_row = 0; window_row < kPool2Side; ++window_row) {
      for (int run = 0; run < 4; ++run) {
        const int row = 2 * window_row + run / 2;
        const int column = run % 2 * kPool2Side;
        Conv2Run(pooled1 + row * kPool1Row + column * kConv1Channels, panel, out + run * kPool2Side * kPanel);
      }
      for (int column = 0; column < kPool2Side; ++column) {
        const int at = (window_row * kPool2Side + column) * kConv2Channels + channel;
        for (int v = 0; v < kPanel; v += kLanes) {
          const float* o = out + 2 * column * kPanel + v;
          PoolAndRelu(hn::LoadU(d, o), hn::LoadU(d, o + kPanel), hn::LoadU(d, o + kSide * kPanel),
                      hn::LoadU(d, o + (kSide + 1) * kPanel), hn::LoadU(d, bias + channel + v), pooled + at + v,
                      winner + at + v);
        }
      }
    }
  }
}

// One non-zero gradient of conv2: where its patch begins in pooled1, and whose it is.
struct Entry {
  int offset;
  float gradient;
};

// sum += gradient * (one kernel row at `rows + offset`), for every entry.
HWY_INLINE void AddRows(const Entry* entries, int count, const float* HWY_RESTRICT rows, float* HWY_RESTRICT sum) {
  V acc[kRowVectors];
  for (int v = 0; v < kRowVectors; ++v) acc[v] = hn::LoadU(d, sum + v * kLanes);
  for (int i = 0; i < count; ++i) {
    const V g = hn::Set(d, entries[i].gradient);
    const float* row = rows + entries[i].offset;
    for (int v = 0; v < kRowVectors; ++v) acc[v] = hn::MulAdd(g, hn::LoadU(d, row + v * kLanes), acc[v]);
  }
  for (int v = 0; v < kRowVectors; ++v) hn::StoreU(acc[v], d, sum + v * kLanes);
}

void Conv2Backward(const float* HWY_RESTRICT pooled1, const float* HWY_RESTRICT weight,
                   const float* HWY_RESTRICT gradient, const float* HWY_RESTRICT winner,
                   float* HWY_RESTRICT input_gradient, float* HWY_RESTRICT weight_gradient,
                   float* HWY_RESTRICT bias_gradient) {
  constexpr int kWindows = kPool2Side * kPool2Side;
  std::array<std::array<Entry, kWindows>, kConv2Channels> of_channel;  // offset: of the patch in pooled1
  std::array<int, kConv2Channels> channel_count{};
  std::fill_n(input_gradient, kPool1Size, 0.0f);
  for (int window = 0; window < kWindows; ++window) {
    std::array<std::array<Entry, kConv2Channels>, 4> of_position;  // offset: of the channel's weights
    std::array<int, 4> position_count{};
    std::array<int, 4> patch;
    for (int position = 0; position < 4; ++position) {
      const int row = window / kPool2Side * 2 + position / 2;
      const int column = window % kPool2Side * 2 + position % 2;
      patch[position] = row * kPool1Row + column * kConv1Channels;
    }
    for (int channel = 0; channel < kConv2Channels; ++channel) {
      const float g = gradient[window * kConv2Channels + channel];
      const int position = static_cast<int>(winner[window * kConv2Channels + channel]);
      // Written always and counted when non-zero: no branch to mispredict.
      const int counts = g != 0 ? 1 : 0;
      of_position[position][position_count[position]] = {channel * kPatch, g};
      of_channel[channel][channel_count[channel]] = {patch[position], g};
      position_count[position] += counts;
      channel_count[channel] += counts;
      bias_gradient[channel] += g;
    }
    for (int position = 0; position < 4; ++position) {
      if (position_count[position] == 0) continue;
      for (int kernel_row = 0; kernel_row < 3; ++kernel_row) {
        AddRows(of_position[position].data(), position_count[position], weight + kernel_row * kRow,
                input_gradient + patch[position] + kernel_row * kPool1Row);
      }
    }
  }
  for (int channel = 0; channel < kConv2Channels; ++channel) {
    for (int kernel_row = 0; kernel_row < 3; ++kernel_row) {
      AddRows(of_channel[channel].data(), channel_count[channel], pooled1 + kernel_row * kPool1Row,
              weight_gradient + channel * kPatch + kernel_row * kRow);
    }
  }
}

void Conv1Backward(const float* HWY_RESTRICT input, const float* HWY_RESTRICT pooled1,
                   const float* HWY_RESTRICT gradient, const float* HWY_RESTRICT winner,
                   float* HWY_RESTRICT weight_gradient, float* HWY_RESTRICT bias_gradient) {
  for (int channel = 0; channel < kConv1Channels; channel += kLanes) {
    V sum[9];
    for (int tap = 0; tap < 9; ++tap) sum[tap] = hn::LoadU(d, weight_gradient + tap * kConv1Channels + channel);
    V bias = hn::LoadU(d, bias_gradient + channel);
    for (int window = 0; window < kPool1Side * kPool1Side; ++window) {
      const int at = window * kConv1Channels + channel;
      const auto alive = hn::Gt(hn::LoadU(d, pooled1 + at), hn::Zero(d));
      const V g = hn::IfThenElseZero(alive, hn::LoadU(d, gradient + at));
      const V which = hn::LoadU(d, winner + at);
      bias = hn::Add(bias, g);
      for (int position = 0; position < 4; ++position) {
        const V mine = hn::IfThenElseZero(hn::Eq(which, hn::Set(d, static_cast<float>(position))), g);
        const int row = window / kPool1Side * 2 + position / 2;
        const float* x = input + row * kInputSide + window % kPool1Side * 2 + position % 2;
        for (int tap = 0; tap < 9; ++tap) {
          sum[tap] = hn::MulAdd(mine, hn::Set(d, x[tap / 3 * kInputSide + tap % 3]), sum[tap]);
        }
      }
    }
    for (int tap = 0; tap < 9; ++tap) hn::StoreU(sum[tap], d, weight_gradient + tap * kConv1Channels + channel);
    hn::StoreU(bias, d, bias_gradient + channel);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace digit
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace digit {

HWY_EXPORT(Conv1Forward);
HWY_EXPORT(Conv2Forward);
HWY_EXPORT(Conv2Backward);
HWY_EXPORT(Conv1Backward);

void Conv1Forward(const float* input, const float* weight, const float* bias, float* pooled, float* winner) {
  HWY_DYNAMIC_DISPATCH(Conv1Forward)(input, weight, bias, pooled, winner);
}

void Conv2Forward(const float* pooled1, const float* packed, const float* bias, float* pooled, float* winner) {
  HWY_DYNAMIC_DISPATCH(Conv2Forward)(pooled1, packed, bias, pooled, winner);
}

void Conv2Backward(const float* pooled1, const float* weight, const float* gradient, const float* winner,
                   float* input_gradient, float* weight_gradient, float* bias_gradient) {
  HWY_DYNAMIC_DISPATCH(Conv2Backward)
  (pooled1, weight, gradient, winner, input_gradient, weight_gradient, bias_gradient);
}

void Conv1Backward(const float* input, const float* pooled1, const float* gradient, const float* winner,
                   float* weight_gradient, float* bias_gradient) {
  HWY_DYNAMIC_DISPATCH(Conv1Backward)(input, pooled1, gradient, winner, weight_gradient, bias_gradient);
}

}  // namespace digit
#endif  // HWY_ONCE
