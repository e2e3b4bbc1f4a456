// The tensors of the digit network, laid out as the CPU engine reads them.
#pragma once

#include "model/engine/aligned_floats.h"
#include "model/engine/digit_cnn.h"
#include "model/engine/matrix_kernels.h"

namespace digit {

// Channels and outputs are padded with zeros to a multiple of kChannelBlock, which changes no result.
constexpr int Padded(int channels) { return (channels + kChannelBlock - 1) / kChannelBlock * kChannelBlock; }

// Immutable. conv2 takes 49 numbers for the nine of each kernel: some 1.4 GB for the largest file that is read.
class PackedNetwork {
 public:
  explicit PackedNetwork(const DigitCnn& net);

  const int conv1_channels, conv2_channels, hidden, outputs;  // padded
  const int features;                                         // inputs of fc1: [25][conv2_channels]
  const AlignedFloats conv1_weights, conv1_bias;              // [9][conv1_channels], with the scale of 1/255
  const AlignedFloats conv2_weights, conv2_bias;              // 49 packed matrices [conv1_channels][conv2_channels]
  const AlignedFloats fc1_weights, fc1_bias;                  // packed [features][hidden]
  const AlignedFloats fc2_weights, fc2_bias;                  // packed [hidden][outputs]

  PackedMatrix conv2() const { return {conv1_channels, conv2_channels, kTilesPanel, conv2_weights.data()}; }
  PackedMatrix fc1() const { return {features, hidden, kRowPanel, fc1_weights.data()}; }
  PackedMatrix fc2() const { return {hidden, outputs, kRowPanel, fc2_weights.data()}; }
};

}  // namespace digit
