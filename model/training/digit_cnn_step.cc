#include "model/training/digit_cnn_step.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "model/training/dense_kernels.h"

namespace digit {
namespace {

// Calls copy(index in the flat array, index in the network's tensor) for each element of parameter `which`.
template <typename Copy>
void ForEachElement(int which, Copy copy) {
  constexpr std::array<int, 8> kOffsets = {kOffsetConv1, kOffsetConv1Bias, kOffsetConv2, kOffsetConv2Bias,
                                           kOffsetFc1,   kOffsetFc1Bias,   kOffsetFc2,   kOffsetFc2Bias};
  constexpr int kWindows = kPool2Side * kPool2Side;
  for (int i = 0; i < kDigitCnnParameters[which].size; ++i) {
    int flat = i;
    if (which == 0) flat = i % 9 * kConv1Channels + i / 9;  // [32][9] -> [9][32]
    if (which == 2) {                                       // [64][32][9] -> [64][9][32]
      flat = i / kPatch * kPatch + i % 9 * kConv1Channels + i / 9 % kConv1Channels;
    }
    if (which == 4) {  // [128][64][25] -> [25][64][128]
      flat = (i % kWindows * kConv2Channels + i / kWindows % kConv2Channels) * kHidden + i / kPool2Size;
    }
    copy(kOffsets[which] + flat, i);
  }
}

// Softmax cross entropy with label smoothing, of a digit, and weighted log(1 + exp(-+energy)), of every picture, since
// sigmoid(energy) is to be the probability of a digit; `logits` becomes the gradient.
ShardResult LossGradient(int label, float smoothing, float scale, float* logits) {
  constexpr int kClasses = kDigitCnnClasses;
  ShardResult result;
  const int best = static_cast<int>(std::max_element(logits, logits + kClasses) - logits);
  result.right = best == label ? 1 : 0;
  const float top = logits[best];
  float sum = 0;
  std::array<float, kClasses> exps;
  for (int c = 0; c < kClasses; ++c) sum += exps[c] = std::exp(logits[c] - top);
  const float log_sum = std::log(sum) + top;  // the energy
  const bool is_digit = label != kNoDigit;
  const float digit_gradient = kEnergyWeight * (1 / (1 + std::exp(-log_sum)) - (is_digit ? 1.0f : 0.0f));
  for (int c = 0; c < kClasses; ++c) {
    const float share = exps[c] / sum;
    float g = digit_gradient * share;
    if (is_digit) {
      const float target = smoothing / kClasses + (c == label ? 1 - smoothing : 0);
      result.loss += target * (log_sum - logits[c]);
      g += share - target;
    }
    logits[c] = scale * g;
  }
  return result;
}

// fc2: kClasses x kHidden, too small for the packed product.
void Fc2Forward(const float* weight, const float* bias, const float* hidden, float* logits) {
  for (int c = 0; c < kDigitCnnClasses; ++c) {
    std::array<float, 8> sums{};
    for (int j = 0; j < kHidden; j += 8) {
      for (int lane = 0; lane < 8; ++lane) sums[lane] += weight[c * kHidden + j + lane] * hidden[j + lane];
    }
    for (int width = 4; width > 0; width /= 2) {
      for (int lane = 0; lane < width; ++lane) sums[lane] += sums[lane + width];
    }
    logits[c] = sums[0] + bias[c];
  }
}

// Adds to fc2's gradients; overwrites the hidden layer's (before its relu).
void Fc2Backward(const float* weight, const float* hidden, const float* logits_gradient, float* weight_gradient,
                 float* bias_gradient, float* hidden_gradient) {
  std::fill_n(hidden_gradient, kHidden, 0.0f);
  for (int c = 0; c < kDigitCnnClasses; ++c) {
    const float g = logits_gradient[c];
    bias_gradient[c] += g;
    for (int j = 0; j < kHidden; ++j) {
      weight_gradient[c * kHidden + j] += g * hidden[j];
      hidden_gradient[j] += g * weight[c * kHidden + j];
    }
  }
  for (int j = 0; j < kHidden; ++j) hidden_gradient[j] = hidden[j] > 0 ? hidden_gradient[j] : 0;
}

}  // namespace

FlatParameters FromNetwork(const DigitCnnWeights& weights) {
  FlatParameters flat(kParameters);
  for (int which = 0; which < 8; ++which) {
    ForEachElement(which, [&](int to, int from) { flat[to] = weights[which][from]; });
  }
  return flat;
}

DigitCnnWeights ToNetwork(absl::Span<const float> parameters) {
  DigitCnnWeights weights;
  for (int which = 0; which < 8; ++which) {
    weights[which].resize(kDigitCnnParameters[which].size);
    ForEachElement(which, [&](int from, int to) { weights[which][to] = parameters[from]; });
  }
  return weights;
}

PackedWeights::PackedWeights()
    : conv2_(kConv2Channels * kPatch), fc1_(kPool2Size * kHidden), fc1_transposed_(kPool2Size * kHidden) {}

void PackedWeights::Pack(absl::Span<const float> parameters, int part, int parts) {
  const auto pack = [part, parts](const float* b, int rows, int columns, int row_stride, int column_stride,
                                  float* packed) {
    const int panels = columns / kPanel;
    PackPanels(b, rows, row_stride, column_stride, panels * part / parts, panels * (part + 1) / parts, packed);
  };
  pack(&parameters[kOffsetConv2], kPatch, kConv2Channels, 1, kPatch, conv2_.data());
  pack(&parameters[kOffsetFc1], kPool2Size, kHidden, kHidden, 1, fc1_.data());
  pack(&parameters[kOffsetFc1], kHidden, kPool2Size, 1, kHidden, fc1_transposed_.data());
}

ShardWorkspace::ShardWorkspace()
    : input(kShardImages * kInputSize),
      labels(kShardImages),
      logits(kShardImages * kDigitCnnClasses),
      pooled1(kShardImages * kPool1Size),
      winner1(kShardImages * kPool1Size),
      pooled2(kShardImages * kPool2Size),
      winner2(kShardImages * kPool2Size),
      hidden(kShardImages * kHidden),
      hidden_gradient(kShardImages * kHidden),
      hidden_packed(kShardImages * kHidden),
      pooled2_gradient(kShardImages * kPool2Size),
      pooled1_gradient(kPool1Size) {}

void Forward(absl::Span<const float> parameters, const PackedWeights& packed, int images, ShardWorkspace* work) {
  const float* p = parameters.data();
  for (int i = 0; i < images; ++i) {
    float* pooled1 = &work->pooled1[i * kPool1Size];
    Conv1Forward(&work->input[i * kInputSize], p + kOffsetConv1, p + kOffsetConv1Bias, pooled1,
                 &work->winner1[i * kPool1Size]);
    Conv2Forward(pooled1, packed.conv2(), p + kOffsetConv2Bias, &work->pooled2[i * kPool2Size],
                 &work->winner2[i * kPool2Size]);
  }
  Gemm(images, kHidden, kPool2Size, work->pooled2.data(), kPool2Size, 1, packed.fc1(), work->hidden.data());
  for (int i = 0; i < images; ++i) {
    float* hidden = &work->hidden[i * kHidden];
    for (int j = 0; j < kHidden; ++j) hidden[j] = std::max(hidden[j] + p[kOffsetFc1Bias + j], 0.0f);
    Fc2Forward(p + kOffsetFc2, p + kOffsetFc2Bias, hidden, &work->logits[i * kDigitCnnClasses]);
  }
}

ShardResult Backward(absl::Span<const float> parameters, const PackedWeights& packed, int images, float smoothing,
                     float scale, ShardWorkspace* work, absl::Span<float> gradient) {
  const float* p = parameters.data();
  float* g = gradient.data();
  std::fill_n(g, kOffsetFc1, 0.0f);  // fc1's weights are overwritten whole
  std::fill(g + kOffsetFc1Bias, g + kParameters, 0.0f);
  ShardResult total;
  for (int i = 0; i < images; ++i) {
    float* logits = &work->logits[i * kDigitCnnClasses];
    const ShardResult one = LossGradient(work->labels[i], smoothing, scale, logits);
    total.loss += one.loss;
    total.right += one.right;
    float* hidden_gradient = &work->hidden_gradient[i * kHidden];
    Fc2Backward(p + kOffsetFc2, &work->hidden[i * kHidden], logits, g + kOffsetFc2, g + kOffsetFc2Bias,
                hidden_gradient);
    for (int j = 0; j < kHidden; ++j) g[kOffsetFc1Bias + j] += hidden_gradient[j];
  }
  PackPanels(work->hidden_gradient.data(), images, kHidden, 1, 0, kHidden / kPanel, work->hidden_packed.data());
  Gemm(kPool2Size, kHidden, images, work->pooled2.data(), 1, kPool2Size, work->hidden_packed.data(), g + kOffsetFc1);
  Gemm(images, kPool2Size, kHidden, work->hidden_gradient.data(), kHidden, 1, packed.fc1_transposed(),
       work->pooled2_gradient.data());
  for (int i = 0; i < images; ++i) {
    const float* pooled1 = &work->pooled1[i * kPool1Size];
    const float* pooled2 = &work->pooled2[i * kPool2Size];
    float* pooled2_gradient = &work->pooled2_gradient[i * kPool2Size];
    for (int j = 0; j < kPool2Size; ++j) pooled2_gradient[j] = pooled2[j] > 0 ? pooled2_gradient[j] : 0;
    Conv2Backward(pooled1, p + kOffsetConv2, pooled2_gradient, &work->winner2[i * kPool2Size],
                  work->pooled1_gradient.data(), g + kOffsetConv2, g + kOffsetConv2Bias);
    Conv1Backward(&work->input[i * kInputSize], pooled1, work->pooled1_gradient.data(), &work->winner1[i * kPool1Size],
                  g + kOffsetConv1, g + kOffsetConv1Bias);
  }
  return total;
}

}  // namespace digit
