// The 3x3 convolution of 12x12 pixels to 10x10 as four Winograd tiles F(5x5, 3x3), in portable SIMD (Highway).
//
// Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks": Y = A' [(G g G') . (B' d B)] A, where .
// multiplies element by element. Interpolation points 0, 1, -1, 2, -2, -1/2 and infinity: a tile of 7x7 inputs and 25
// outputs takes 49 multiplications for each pair of channels instead of 225. Four tiles are 196, less than 2x2 tiles
// (400) or any mix of 4x4 and 2x2 (256) needs, and 49 matrices of weights still fit the L2 cache. In fp32 the error is
// some ten times that of 2x2 tiles, 6e-7 of an output of usual size.
//
// Pure functions, thread-safe; pointers need no alignment and must not overlap. Channel counts are multiples of
// kChannelBlock, channels lie innermost.
#pragma once

#include <cstddef>

#include "model/engine/conv1_kernel.h"
#include "model/engine/matrix_kernels.h"

namespace digit {

inline constexpr int kWinogradPoints = 49;  // [7][7]

// Floats from one point to the next where something is kept for each [point][tile][channel]: a cache line more than
// needed, because powers of two would put all points into the same few sets of the cache.
constexpr ptrdiff_t PointStride(int channels) { return kTiles * ptrdiff_t{channels} + 16; }

// points[49] = G kernel G' of one 3x3 kernel, in double until the last rounding. Not SIMD: it runs when a model loads.
void TransformKernel(const float* kernel, float* points);

// points [49][tile][channel] (PointStride) = B' d B of each tile of map [12][12][channels].
void TransformInput(const float* map, int channels, float* points);

// pooled [25][channels] = relu(max over each 2x2 window of A' m A + bias) for products m [49][tile][channel]
// (PointStride).
void TransformOutputAndPool(const float* products, const float* bias, int channels, float* pooled);

}  // namespace digit
