// The convolutions of the digit network, forward and backward, one image at a time, in portable SIMD (Highway).
//
// Written for this one network: pooling keeps one output of four, so only a quarter of conv2's outputs (fewer after
// relu) has a gradient, and the backward pass visits only these; a framework multiplies all of them by zero. The last
// pooling never looks at rows and columns 26 and 27 of the picture, so the input is its 26x26 corner.
// Layouts are channels-last. Pure functions, thread-safe; pointers need no alignment and must not overlap. Sums run in
// a fixed order: the same machine gives the same bits. Checked against LibTorch's autograd in
// tests/unit/model/training/digit_cnn_step_test.cc.
#pragma once

#include <cstdint>

namespace digit {

inline constexpr int kInputSide = 26;
inline constexpr int kInputSize = kInputSide * kInputSide;
inline constexpr int kConv1Channels = 32;
inline constexpr int kPool1Side = 12;
inline constexpr int kPool1Size = kPool1Side * kPool1Side * kConv1Channels;  // [row][column][channel]
inline constexpr int kConv2Channels = 64;
inline constexpr int kPool2Side = 5;
inline constexpr int kPool2Size = kPool2Side * kPool2Side * kConv2Channels;  // [row][column][channel]
inline constexpr int kPatch = 9 * kConv1Channels;                            // [kernel row][kernel column][channel]
inline constexpr int kPanel = 16;                                            // columns of a packed panel

// pooled = relu(max over each 2x2 window of conv(input) + bias). `weight` is [9][32]; `winner` gets 0..3, which of the
// window's four (row-major, the first on a tie, as LibTorch does) was the largest.
void Conv1Forward(const float* input, const float* weight, const float* bias, float* pooled, float* winner);

// The same for the second layer; `packed` is conv2's [288][64] in panels (dense_kernels.h, PackPanels).
void Conv2Forward(const float* pooled1, const float* packed, const float* bias, float* pooled, float* winner);

// `gradient` is with respect to `pooled` before its relu: zero where relu cut. Adds to `weight_gradient` [64][288] and
// `bias_gradient`; overwrites `input_gradient`, which is with respect to pooled1 (after its relu).
// `weight` is [64][288].
void Conv2Backward(const float* pooled1, const float* weight, const float* gradient, const float* winner,
                   float* input_gradient, float* weight_gradient, float* bias_gradient);

// `gradient` is with respect to pooled1 (after relu; where pooled1 is 0 it is ignored). Adds to `weight_gradient`
// [9][32] and `bias_gradient`.
void Conv1Backward(const float* input, const float* pooled1, const float* gradient, const float* winner,
                   float* weight_gradient, float* bias_gradient);

}  // namespace digit
