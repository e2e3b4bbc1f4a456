#include "model/engine/scalar_reference.h"

#include <algorithm>
#include <vector>

#include "model/spec/model_spec.h"

namespace digit {
namespace {

using Values = std::vector<double>;

// [channels, side, side] -> 3x3 convolution, relu, 2x2 maximum -> [outputs, (side - 2) / 2, (side - 2) / 2].
Values ConvReluPool(const Values& in, int channels, int side, absl::Span<const float> weight,
                    absl::Span<const float> bias) {
  const int outputs = static_cast<int>(bias.size());
  const int out_side = (side - 2) / 2;
  Values out(static_cast<size_t>(outputs) * out_side * out_side, 0.0);  // relu: no output is below 0
  for (int o = 0; o < outputs; ++o) {
    for (int y = 0; y < 2 * out_side; ++y) {
      for (int x = 0; x < 2 * out_side; ++x) {
        double sum = bias[o];
        for (int c = 0; c < channels; ++c) {
          for (int k = 0; k < 9; ++k) {
            sum += double{weight[(o * channels + c) * 9 + k]} * in[(c * side + y + k / 3) * side + x + k % 3];
          }
        }
        double& pooled = out[(o * out_side + y / 2) * out_side + x / 2];
        pooled = std::max(pooled, sum);
      }
    }
  }
  return out;
}

Values Dense(const Values& in, absl::Span<const float> weight, absl::Span<const float> bias) {
  Values out(bias.begin(), bias.end());
  for (size_t o = 0; o < out.size(); ++o) {
    for (size_t i = 0; i < in.size(); ++i) out[o] += double{weight[o * in.size() + i]} * in[i];
  }
  return out;
}

}  // namespace

void ScalarForward(const DigitCnn& net, absl::Span<const uint8_t> pixels, absl::Span<float> logits) {
  Values values(pixels.begin(), pixels.end());
  for (double& value : values) value /= 255;
  values = ConvReluPool(values, 1, kImageSide, net.conv1_weight, net.conv1_bias);
  values = ConvReluPool(values, net.conv1_channels, kConv1Side / 2, net.conv2_weight, net.conv2_bias);
  values = Dense(values, net.fc1_weight, net.fc1_bias);
  for (double& value : values) value = std::max(value, 0.0);
  values = Dense(values, net.fc2_weight, net.fc2_bias);
  std::copy(values.begin(), values.end(), logits.begin());
}

}  // namespace digit
