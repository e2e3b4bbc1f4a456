// What one thread of the CUDA kernels computes, as plain C++: the compiler for the GPU and a unit test on a CPU see the
// same code.
//
// Activations are "channels last": [image][y][x][channel], channels padded with zeros to a multiple of kChannelGroup,
// which is what one thread computes of a position. Weights are float, whatever the activations are.
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define DIGIT_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define DIGIT_HOST_DEVICE inline
#endif
#ifdef __CUDA_ARCH__
#define DIGIT_UNROLL _Pragma("unroll")  // arrays stay in registers only where every index is a constant
#else
#define DIGIT_UNROLL
#endif

namespace digit {

inline constexpr int kChannelGroup = 8;  // 16 bytes of half precision: one store
inline constexpr int kImageRow = 28;     // pixels

// kChannelGroup neighbouring values, read and written in whole words. Their address is a multiple of 16.
template <typename Real>
struct alignas(16) ChannelGroup {
  Real values[kChannelGroup];
};

template <typename Real>
DIGIT_HOST_DEVICE ChannelGroup<Real> LoadGroup(const Real* from) {
  return *reinterpret_cast<const ChannelGroup<Real>*>(from);
}
inline constexpr int kPool1Side = 13;
inline constexpr int kPool1Pixels = kPool1Side * kPool1Side;
inline constexpr int kConv2OutSide = 11;
inline constexpr int kPool2Side = 5;  // the last row and column of conv2 are dropped
inline constexpr int kPool2Pixels = kPool2Side * kPool2Side;

// conv1, bias, maxpool 2 and relu: channels channel .. channel + 7 at (y, x) of 13 x 13.
//   image: 28 x 28 bytes, 0 paper .. 255 ink; weight: [9][channels]; bias: [channels].
DIGIT_HOST_DEVICE void Conv1PoolRelu(const uint8_t* image, int y, int x, const float* weight, const float* bias,
                                     int channels, int channel, float* out) {
  float patch[4][4];  // what four neighbouring 3 x 3 windows see
  DIGIT_UNROLL
  for (int row = 0; row < 4; ++row) {
    DIGIT_UNROLL
    for (int column = 0; column < 4; ++column) {
      patch[row][column] = static_cast<float>(image[(2 * y + row) * kImageRow + 2 * x + column]) * (1.0f / 255);
    }
  }
  float sum[2][2][kChannelGroup] = {};
  DIGIT_UNROLL
  for (int ky = 0; ky < 3; ++ky) {
    DIGIT_UNROLL
    for (int kx = 0; kx < 3; ++kx) {
      const ChannelGroup<float> w = LoadGroup(weight + (ky * 3 + kx) * channels + channel);
      DIGIT_UNROLL
      for (int c = 0; c < kChannelGroup; ++c) {
        const float value = w.values[c];
        sum[0][0][c] += value * patch[ky][kx];
        sum[0][1][c] += value * patch[ky][kx + 1];
        sum[1][0][c] += value * patch[ky + 1][kx];
        sum[1][1][c] += value * patch[ky + 1][kx + 1];
      }
    }
  }
  DIGIT_UNROLL
  for (int c = 0; c < kChannelGroup; ++c) {
    const float upper = sum[0][0][c] > sum[0][1][c] ? sum[0][0][c] : sum[0][1][c];
    const float lower = sum[1][0][c] > sum[1][1][c] ? sum[1][0][c] : sum[1][1][c];
    const float value = (upper > lower ? upper : lower) + bias[channel + c];
    out[c] = value > 0 ? value : 0;
  }
}

// Where the four inputs of (y, x) of 5 x 5 begin in an image of [11][11][channels].
DIGIT_HOST_DEVICE int Pool2Input(int y, int x, int which, int channels) {
  return ((2 * y + which / 2) * kConv2OutSide + 2 * x + which % 2) * channels;
}

// fc2 for one image and class: hidden [size], a multiple of kChannelGroup; weight [size][classes].
template <typename Hidden>
DIGIT_HOST_DEVICE float Fc2(const Hidden* hidden, const float* weight, float bias, int size, int classes, int c) {
  float sum = bias;
  for (int k = 0; k < size; k += kChannelGroup) {
    const ChannelGroup<Hidden> group = LoadGroup(hidden + k);
    DIGIT_UNROLL
    for (int i = 0; i < kChannelGroup; ++i) {
      sum += static_cast<float>(group.values[i]) * weight[(k + i) * classes + c];
    }
  }
  return sum;
}

}  // namespace digit
