#include "model/engine/packed_network.h"

#include "model/engine/winograd.h"

namespace digit {
namespace {

AlignedFloats PaddedCopy(absl::Span<const float> values, int padded) {
  AlignedFloats copy(padded);
  std::copy(values.begin(), values.end(), copy.data());
  return copy;
}

AlignedFloats PackConv1(const DigitCnn& net) {
  const int channels = Padded(net.conv1_channels);
  AlignedFloats packed(size_t{9} * channels);
  for (int channel = 0; channel < net.conv1_channels; ++channel) {
    for (int tap = 0; tap < 9; ++tap) packed[tap * channels + channel] = net.conv1_weight[channel * 9 + tap] / 255;
  }
  return packed;
}

AlignedFloats PackConv2(const DigitCnn& net) {
  const PackedMatrix layout{Padded(net.conv1_channels), Padded(net.conv2_channels), kTilesPanel, nullptr};
  const size_t matrix = size_t{1} * layout.inner * layout.columns;
  AlignedFloats packed(kWinogradPoints * matrix);
  for (int out = 0; out < net.conv2_channels; ++out) {
    for (int in = 0; in < net.conv1_channels; ++in) {
      float points[kWinogradPoints];
      TransformKernel(&net.conv2_weight[(size_t{1} * out * net.conv1_channels + in) * 9], points);
      const size_t at = layout.Index(in, out);
      for (int point = 0; point < kWinogradPoints; ++point) packed[point * matrix + at] = points[point];
    }
  }
  return packed;
}

// PyTorch flattens [channel][pixel]; our features lie as [pixel][padded channel]. With one pixel: a plain dense layer.
AlignedFloats PackDense(absl::Span<const float> weight, int outputs, int channels, int pixels) {
  const int padded = Padded(channels);
  const PackedMatrix layout{pixels * padded, Padded(outputs), kRowPanel, nullptr};
  AlignedFloats packed(size_t{1} * layout.inner * layout.columns);
  for (int out = 0; out < outputs; ++out) {
    for (int channel = 0; channel < channels; ++channel) {
      const float* from = &weight[(size_t{1} * out * channels + channel) * pixels];
      for (int pixel = 0; pixel < pixels; ++pixel) {
        packed[layout.Index(pixel * padded + channel, out)] = from[pixel];
      }
    }
  }
  return packed;
}

}  // namespace

PackedNetwork::PackedNetwork(const DigitCnn& net)
    : conv1_channels(Padded(net.conv1_channels)),
      conv2_channels(Padded(net.conv2_channels)),
      hidden(Padded(net.hidden)),
      outputs(Padded(net.num_classes)),
      features(kFeaturePixels * conv2_channels),
      conv1_weights(PackConv1(net)),
      conv1_bias(PaddedCopy(net.conv1_bias, conv1_channels)),
      conv2_weights(PackConv2(net)),
      conv2_bias(PaddedCopy(net.conv2_bias, conv2_channels)),
      fc1_weights(PackDense(net.fc1_weight, net.hidden, net.conv2_channels, kFeaturePixels)),
      fc1_bias(PaddedCopy(net.fc1_bias, hidden)),
      fc2_weights(PackDense(net.fc2_weight, net.num_classes, net.hidden, 1)),
      fc2_bias(PaddedCopy(net.fc2_bias, outputs)) {}

}  // namespace digit
