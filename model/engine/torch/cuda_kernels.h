// The parts of the digit network that LibTorch and cuDNN do slowly, as CUDA kernels: the first convolution has one
// input channel, and what follows a convolution can be one pass over its outputs. No LibTorch here.
//
// `Real` is float or __half. All pointers are on the device; [..] are shapes, channels last and padded as
// cuda_kernel_math.h says. The calls enqueue on `stream` and return; errors are the stream's.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace digit {

// pixels [images][784] -> out [images][13][13][channels]; weight [9][channels], bias [channels].
template <typename Real>
void LaunchConv1PoolRelu(const uint8_t* pixels, const float* weight, const float* bias, int images, int channels,
                         Real* out, cudaStream_t stream);

// conv2's sums [images][11][11][channels] -> out [images][25][channels], with bias [channels], maxpool 2 and relu.
template <typename Real>
void LaunchBiasPoolRelu(const Real* sums, const float* bias, int images, int channels, Real* out, cudaStream_t stream);

// hidden [images][size] -> logits [images][classes]; weight [size][classes], bias [classes].
template <typename Real>
void LaunchFc2(const Real* hidden, const float* weight, const float* bias, int images, int size, int classes,
               float* logits, cudaStream_t stream);

}  // namespace digit
