// One pass of the digit network over a few images, forward and backward, without a framework.
//
// Parameters live in one flat array in the layout that the kernels read (kOffset...); FromNetwork() and ToNetwork()
// convert from and to the network's own. Thread-safe as far as the arguments are distinct.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "model/network/digit_cnn.h"
#include "model/training/conv_kernels.h"

namespace digit {

inline constexpr int kHidden = 128;
// conv1 [9][32], bias; conv2 [64][288], bias; fc1 [1600 as row, column, channel][128], bias; fc2 [10][128], bias.
inline constexpr int kOffsetConv1 = 0;
inline constexpr int kOffsetConv1Bias = kOffsetConv1 + 9 * kConv1Channels;
inline constexpr int kOffsetConv2 = kOffsetConv1Bias + kConv1Channels;
inline constexpr int kOffsetConv2Bias = kOffsetConv2 + kConv2Channels * kPatch;
inline constexpr int kOffsetFc1 = kOffsetConv2Bias + kConv2Channels;
inline constexpr int kOffsetFc1Bias = kOffsetFc1 + kPool2Size * kHidden;
inline constexpr int kOffsetFc2 = kOffsetFc1Bias + kHidden;
inline constexpr int kOffsetFc2Bias = kOffsetFc2 + kDigitCnnClasses * kHidden;
inline constexpr int kParameters = kOffsetFc2Bias + 16;  // fc2's bias is padded to whole vectors; the rest stays 0

using FlatParameters = std::vector<float>;  // kParameters

FlatParameters FromNetwork(const DigitCnnWeights& weights);
DigitCnnWeights ToNetwork(absl::Span<const float> parameters);

// Copies of the weights in the order in which the matrix products read them; made anew after every update.
class PackedWeights {
 public:
  PackedWeights();
  // Packs part `part` of `parts`; the parts together make the whole and may run at the same time.
  void Pack(absl::Span<const float> parameters, int part, int parts);

  const float* conv2() const { return conv2_.data(); }
  const float* fc1() const { return fc1_.data(); }
  const float* fc1_transposed() const { return fc1_transposed_.data(); }

 private:
  std::vector<float> conv2_, fc1_, fc1_transposed_;
};

inline constexpr uint8_t kNoDigit = 255;  // the label of a picture that is none of the classes

inline constexpr int kShardImages = 32;  // most images of one pass; measured: 16 to 64 are within 5 %

// Scratch memory of one pass, about 2 MB.
struct ShardWorkspace {
  ShardWorkspace();
  std::vector<float> input;  // kShardImages * kInputSize: the caller fills it, grey/255
  std::vector<uint8_t> labels;
  std::vector<float> logits;  // kShardImages * 10
  std::vector<float> pooled1, winner1, pooled2, winner2, hidden;
  std::vector<float> hidden_gradient, hidden_packed, pooled2_gradient, pooled1_gradient;
};

// input -> logits of the first `images` images.
void Forward(absl::Span<const float> parameters, const PackedWeights& packed, int images, ShardWorkspace* work);

struct ShardResult {
  double loss = 0;  // sum of the cross entropies of the digits
  int right = 0;
};

inline constexpr float kEnergyWeight = 0.3f;  // 1 costs digits accuracy and catches no more non-digits

// After Forward(): the gradient of `scale` * the loss goes to `gradient` (kParameters), overwriting it. Labels are 0..9
// or kNoDigit. The loss is the sum of the digits' cross entropies, with label smoothing as in PyTorch's
// CrossEntropyLoss, and kEnergyWeight times the logistic loss of the energy log(sum(exp(logit))) of every picture:
// above 0 for a digit, below 0 else. Training with other pictures: Hendrycks, Mazeika, Dietterich 2019, "Deep Anomaly
// Detection with Outlier Exposure"; a loss on the energy: Liu et al. 2020 (calibration.h), whose squared hinges need
// two margins and a weight.
ShardResult Backward(absl::Span<const float> parameters, const PackedWeights& packed, int images, float smoothing,
                     float scale, ShardWorkspace* work, absl::Span<float> gradient);

}  // namespace digit
