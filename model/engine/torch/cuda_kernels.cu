#include <cuda_fp16.h>

#include "model/engine/torch/cuda_kernel_math.h"
#include "model/engine/torch/cuda_kernels.h"

namespace digit {
namespace {

constexpr int kThreads = 256;
constexpr int kImageBytes = kImageRow * kImageRow;

__device__ __forceinline__ float Bigger(float a, float b) { return a > b ? a : b; }

// One thread: one position, one group of channels. Threads beside each other differ in the group, so that a warp writes
// whole lines.
template <typename Real>
__global__ void __launch_bounds__(kThreads)
    Conv1PoolReluKernel(const uint8_t* __restrict__ pixels, const float* __restrict__ weight,
                        const float* __restrict__ bias, int images, int channels, Real* __restrict__ out) {
  const int groups = channels / kChannelGroup;
  const int thread = blockIdx.x * kThreads + threadIdx.x;
  const int group = thread % groups, position = thread / groups;
  if (position >= images * kPool1Pixels) return;
  const int image = position / kPool1Pixels, in_image = position % kPool1Pixels;
  float values[kChannelGroup];
  Conv1PoolRelu(pixels + image * kImageBytes, in_image / kPool1Side, in_image % kPool1Side, weight, bias, channels,
                group * kChannelGroup, values);
  ChannelGroup<Real> result;
#pragma unroll
  for (int c = 0; c < kChannelGroup; ++c) result.values[c] = static_cast<Real>(values[c]);
  reinterpret_cast<ChannelGroup<Real>*>(out)[thread] = result;
}

template <typename Real>
__global__ void __launch_bounds__(kThreads)
    BiasPoolReluKernel(const Real* __restrict__ sums, const float* __restrict__ bias, int images, int channels,
                       Real* __restrict__ out) {
  const int groups = channels / kChannelGroup;
  const int thread = blockIdx.x * kThreads + threadIdx.x;
  const int group = thread % groups, position = thread / groups;
  if (position >= images * kPool2Pixels) return;
  const int image = position / kPool2Pixels, in_image = position % kPool2Pixels;
  const Real* const input =
      sums + static_cast<int64_t>(image) * kConv2OutSide * kConv2OutSide * channels + group * kChannelGroup;
  float largest[kChannelGroup];
#pragma unroll
  for (int which = 0; which < 4; ++which) {
    const ChannelGroup<Real> loaded =
        LoadGroup(input + Pool2Input(in_image / kPool2Side, in_image % kPool2Side, which, channels));
#pragma unroll
    for (int c = 0; c < kChannelGroup; ++c) {
      const float value = static_cast<float>(loaded.values[c]);
      largest[c] = which == 0 ? value : Bigger(largest[c], value);
    }
  }
  ChannelGroup<Real> result;
#pragma unroll
  for (int c = 0; c < kChannelGroup; ++c) {
    result.values[c] = static_cast<Real>(Bigger(largest[c] + bias[group * kChannelGroup + c], 0));
  }
  reinterpret_cast<ChannelGroup<Real>*>(out)[thread] = result;
}

// One thread: one image and class. Threads beside each other read the same hidden values and weights that are
// neighbours.
template <typename Real>
__global__ void __launch_bounds__(kThreads)
    Fc2Kernel(const Real* __restrict__ hidden, const float* __restrict__ weight, const float* __restrict__ bias,
              int images, int size, int classes, float* __restrict__ logits) {
  const int thread = blockIdx.x * kThreads + threadIdx.x;
  const int image = thread / classes, c = thread % classes;
  if (image >= images) return;
  logits[thread] = Fc2(hidden + static_cast<int64_t>(image) * size, weight, bias[c], size, classes, c);
}

int Blocks(int threads) { return (threads + kThreads - 1) / kThreads; }

}  // namespace

template <typename Real>
void LaunchConv1PoolRelu(const uint8_t* pixels, const float* weight, const float* bias, int images, int channels,
                         Real* out, cudaStream_t stream) {
  const int threads = images * kPool1Pixels * (channels / kChannelGroup);
  Conv1PoolReluKernel<<<Blocks(threads), kThreads, 0, stream>>>(pixels, weight, bias, images, channels, out);
}

template <typename Real>
void LaunchBiasPoolRelu(const Real* sums, const float* bias, int images, int channels, Real* out, cudaStream_t stream) {
  const int threads = images * kPool2Pixels * (channels / kChannelGroup);
  BiasPoolReluKernel<<<Blocks(threads), kThreads, 0, stream>>>(sums, bias, images, channels, out);
}

template <typename Real>
void LaunchFc2(const Real* hidden, const float* weight, const float* bias, int images, int size, int classes,
               float* logits, cudaStream_t stream) {
  const int threads = images * classes;
  Fc2Kernel<<<Blocks(threads), kThreads, 0, stream>>>(hidden, weight, bias, images, size, classes, logits);
}

#define DIGIT_INSTANTIATE(Real)                                                                                       \
  template void LaunchConv1PoolRelu<Real>(const uint8_t*, const float*, const float*, int, int, Real*, cudaStream_t); \
  template void LaunchBiasPoolRelu<Real>(const Real*, const float*, int, int, Real*, cudaStream_t);                   \
  template void LaunchFc2<Real>(const Real*, const float*, const float*, int, int, int, float*, cudaStream_t);
DIGIT_INSTANTIATE(float)
DIGIT_INSTANTIATE(__half)
#undef DIGIT_INSTANTIATE

}  // namespace digit
