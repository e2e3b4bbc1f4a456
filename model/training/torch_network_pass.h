// The digit network in LibTorch, forward and backward, for training on any device. Includes torch: only torch_*.cc here
// and tests may include it.
//
// The backward pass is written out, not left to autograd: it is a dozen operations, the gradients land in one flat
// array that the update reads as a whole, and nothing runs on autograd's own threads while a CUDA graph is recorded.
// No function here waits for the device or looks at a value.
#pragma once

#include <ATen/ATen.h>

namespace digit {

// Views of a flat array of kParameters (digit_cnn_step.h), in the shapes that the operations take.
struct ParameterViews {
  explicit ParameterViews(const at::Tensor& flat);

  at::Tensor conv1, conv1_bias;  // [9][32], [32]
  at::Tensor conv2, conv2_bias;  // [64][32][3][3] in channels-last order, [64]
  at::Tensor fc1, fc1_bias;      // [1600: row, column, channel][128], [128]
  at::Tensor fc2, fc2_bias;      // [10][128], [10]
};

// What the forward pass leaves for the backward pass; pictures are [n][channel][row][column] in channels-last order.
struct NetworkPass {
  at::Tensor patches;                   // [n][24 * 24][9]: the input under each place of conv1's kernel
  at::Tensor conv1, pooled1, winners1;  // before pooling; after pooling and relu; which of the window won
  at::Tensor conv2, pooled2, winners2;
  at::Tensor features;  // [n][1600], pooled2 in the order of fc1's rows
  at::Tensor hidden;    // [n][128], after relu
  at::Tensor logits;    // [n][10]
};

// `input`: [n][26][26] floats in 0..1, the network's corner of the pictures.
NetworkPass ForwardPass(const ParameterViews& parameters, const at::Tensor& input);

// From the gradient of the logits [n][10] to that of every parameter, which is overwritten.
void BackwardPass(const ParameterViews& parameters, const NetworkPass& pass, const at::Tensor& logits_gradient,
                  ParameterViews* gradient);

}  // namespace digit
