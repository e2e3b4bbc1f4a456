#include "model/training/torch_network_pass.h"

#include <tuple>

#include "model/training/digit_cnn_step.h"

namespace digit {
namespace {

constexpr int kConv1Side = kInputSide - 2, kConv2Side = kPool1Side - 2;
static_assert(kConv1Side == 2 * kPool1Side && kConv2Side == 2 * kPool2Side);

at::Tensor MaxPoolBackward(const at::Tensor& gradient, const at::Tensor& input, const at::Tensor& winners) {
  return at::max_pool2d_with_indices_backward(gradient, input, {2, 2}, {2, 2}, {0, 0}, {1, 1}, /*ceil_mode=*/false,
                                              winners);
}

void SumInto(at::Tensor* sum, const at::Tensor& terms, at::IntArrayRef over) { at::sum_out(*sum, terms, over); }

}  // namespace

ParameterViews::ParameterViews(const at::Tensor& flat)
    : conv1(flat.narrow(0, kOffsetConv1, 9 * kConv1Channels).view({9, kConv1Channels})),
      conv1_bias(flat.narrow(0, kOffsetConv1Bias, kConv1Channels)),
      conv2(flat.narrow(0, kOffsetConv2, kConv2Channels * kPatch)
                .view({kConv2Channels, 3, 3, kConv1Channels})
                .permute({0, 3, 1, 2})),
      conv2_bias(flat.narrow(0, kOffsetConv2Bias, kConv2Channels)),
      fc1(flat.narrow(0, kOffsetFc1, kPool2Size * kHidden).view({kPool2Size, kHidden})),
      fc1_bias(flat.narrow(0, kOffsetFc1Bias, kHidden)),
      fc2(flat.narrow(0, kOffsetFc2, kDigitCnnClasses * kHidden).view({kDigitCnnClasses, kHidden})),
      fc2_bias(flat.narrow(0, kOffsetFc2Bias, kDigitCnnClasses)) {}

NetworkPass ForwardPass(const ParameterViews& parameters, const at::Tensor& input) {
  const int64_t n = input.size(0);
  NetworkPass pass;
  // With one channel a convolution is a matrix product of nine columns, whose output is channels-last as it stands.
  pass.patches = input.unfold(1, 3, 1).unfold(2, 3, 1).reshape({n, kConv1Side * kConv1Side, 9});
  pass.conv1 = at::addmm(parameters.conv1_bias, pass.patches.view({-1, 9}), parameters.conv1)
                   .view({n, kConv1Side, kConv1Side, kConv1Channels})
                   .permute({0, 3, 1, 2});
  // The maximum before relu is the same as after it, on a quarter of the values.
  std::tie(pass.pooled1, pass.winners1) = at::max_pool2d_with_indices(pass.conv1, {2, 2});
  pass.pooled1.relu_();
  pass.conv2 = at::convolution(pass.pooled1, parameters.conv2, parameters.conv2_bias, {1, 1}, {0, 0}, {1, 1},
                               /*transposed=*/false, {0, 0}, /*groups=*/1);
  std::tie(pass.pooled2, pass.winners2) = at::max_pool2d_with_indices(pass.conv2, {2, 2});
  pass.pooled2.relu_();
  pass.features = pass.pooled2.permute({0, 2, 3, 1}).reshape({n, kPool2Size});
  pass.hidden = at::addmm(parameters.fc1_bias, pass.features, parameters.fc1).relu_();
  pass.logits = at::addmm(parameters.fc2_bias, pass.hidden, parameters.fc2.t());
  return pass;
}

void BackwardPass(const ParameterViews& parameters, const NetworkPass& pass, const at::Tensor& logits_gradient,
                  ParameterViews* gradient) {
  const int64_t n = logits_gradient.size(0);
  at::mm_out(gradient->fc2, logits_gradient.t(), pass.hidden);
  SumInto(&gradient->fc2_bias, logits_gradient, {0});
  const at::Tensor hidden = at::threshold_backward(at::mm(logits_gradient, parameters.fc2), pass.hidden, 0);

  at::mm_out(gradient->fc1, pass.features.t(), hidden);
  SumInto(&gradient->fc1_bias, hidden, {0});
  const at::Tensor features = at::threshold_backward(at::mm(hidden, parameters.fc1.t()), pass.features, 0);

  const at::Tensor conv2 = MaxPoolBackward(
      features.view({n, kPool2Side, kPool2Side, kConv2Channels}).permute({0, 3, 1, 2}), pass.conv2, pass.winners2);
  const auto [pooled1, conv2_weight, conv2_bias] =
      at::convolution_backward(conv2, pass.pooled1, parameters.conv2, at::IntArrayRef({kConv2Channels}), {1, 1}, {0, 0},
                               {1, 1}, /*transposed=*/false, {0, 0}, /*groups=*/1, {true, true, true});
  gradient->conv2.copy_(conv2_weight);
  gradient->conv2_bias.copy_(conv2_bias);

  const at::Tensor conv1 = MaxPoolBackward(at::threshold_backward(pooled1, pass.pooled1, 0), pass.conv1, pass.winners1)
                               .permute({0, 2, 3, 1})
                               .reshape({n, kConv1Side * kConv1Side, kConv1Channels});
  // A product for each picture, then their sum: as one product it would be 288 sums of 70,000 terms, too few for a GPU.
  SumInto(&gradient->conv1, at::bmm(pass.patches.transpose(1, 2), conv1), {0});
  SumInto(&gradient->conv1_bias, conv1, {0, 1});
}

}  // namespace digit
