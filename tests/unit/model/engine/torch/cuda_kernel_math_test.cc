// The CUDA kernels' arithmetic, thread by thread on a CPU: with a plain conv2 and fc1 between, it must give the
// network's logits.
#include "model/engine/torch/cuda_kernel_math.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "model/engine/digit_cnn.h"
#include "model/engine/scalar_reference.h"
#include "tests/unit/model/engine/random_model.h"

namespace digit {
namespace {

int Padded(int channels) { return (channels + kChannelGroup - 1) / kChannelGroup * kChannelGroup; }

// [position][channel], padded with zeros.
std::vector<float> ConvPoolOne(const DigitCnn& net, const uint8_t* image) {
  const int channels = Padded(net.conv1_channels);
  std::vector<float> weight(9 * channels), bias(channels), out(kPool1Pixels * channels);
  for (int c = 0; c < net.conv1_channels; ++c) {
    for (int k = 0; k < 9; ++k) weight[k * channels + c] = net.conv1_weight[c * 9 + k];
    bias[c] = net.conv1_bias[c];
  }
  for (int p = 0; p < kPool1Pixels; ++p) {
    for (int c = 0; c < channels; c += kChannelGroup) {
      Conv1PoolRelu(image, p / kPool1Side, p % kPool1Side, weight.data(), bias.data(), channels, c,
                    &out[p * channels + c]);
    }
  }
  return out;
}

std::vector<float> Conv2(const DigitCnn& net, const std::vector<float>& in) {
  const int inputs = Padded(net.conv1_channels), outputs = Padded(net.conv2_channels);
  std::vector<float> out(kConv2OutSide * kConv2OutSide * outputs);
  for (int p = 0; p < kConv2OutSide * kConv2OutSide; ++p) {
    for (int o = 0; o < net.conv2_channels; ++o) {
      for (int i = 0; i < net.conv1_channels; ++i) {
        for (int k = 0; k < 9; ++k) {
          const int y = p / kConv2OutSide + k / 3, x = p % kConv2OutSide + k % 3;
          out[p * outputs + o] +=
              net.conv2_weight[(o * net.conv1_channels + i) * 9 + k] * in[(y * kPool1Side + x) * inputs + i];
        }
      }
    }
  }
  return out;
}

std::vector<float> BiasPoolRelu(const DigitCnn& net, const std::vector<float>& sums) {
  const int channels = Padded(net.conv2_channels);
  std::vector<float> out(kPool2Pixels * channels);
  for (int p = 0; p < kPool2Pixels; ++p) {
    for (int c = 0; c < net.conv2_channels; ++c) {
      float largest = -INFINITY;
      for (int which = 0; which < 4; ++which) {
        largest = std::max(largest, sums[Pool2Input(p / kPool2Side, p % kPool2Side, which, channels) + c]);
      }
      out[p * channels + c] = std::max(0.0f, largest + net.conv2_bias[c]);
    }
  }
  return out;
}

std::vector<float> Fc1Relu(const DigitCnn& net, const std::vector<float>& in) {
  const int channels = Padded(net.conv2_channels);
  std::vector<float> out(Padded(net.hidden));
  for (int h = 0; h < net.hidden; ++h) {
    float sum = net.fc1_bias[h];
    for (int c = 0; c < net.conv2_channels; ++c) {
      for (int p = 0; p < kPool2Pixels; ++p) {
        sum += net.fc1_weight[(h * net.conv2_channels + c) * kPool2Pixels + p] * in[p * channels + c];
      }
    }
    out[h] = std::max(0.0f, sum);
  }
  return out;
}

TEST(CudaKernelMathTest, GivesTheNetworksLogits) {
  for (const Widths& widths : {Widths{}, Widths{.conv1 = 3, .conv2 = 13, .hidden = 7, .classes = 26}}) {
    const Model model = RandomModel(1, widths);
    const DigitCnn net = *FindDigitCnn(model.file.tensors);
    const int images = 3, classes = widths.classes;
    const std::vector<uint8_t> pixels = RandomImages(1, images);
    for (int i = 0; i < images; ++i) {
      const absl::Span<const uint8_t> image = absl::MakeConstSpan(pixels).subspan(i * kImagePixels, kImagePixels);
      const std::vector<float> hidden = Fc1Relu(net, BiasPoolRelu(net, Conv2(net, ConvPoolOne(net, image.data()))));
      std::vector<float> want(classes), weight(Padded(widths.hidden) * classes);
      ScalarForward(net, image, absl::MakeSpan(want));
      for (int c = 0; c < classes; ++c) {
        for (int h = 0; h < widths.hidden; ++h) weight[h * classes + c] = net.fc2_weight[c * widths.hidden + h];
      }
      for (int c = 0; c < classes; ++c) {
        const float got = Fc2(hidden.data(), weight.data(), net.fc2_bias[c], Padded(widths.hidden), classes, c);
        EXPECT_NEAR(got, want[c], 1e-4f * std::max(1.0f, std::abs(want[c]))) << "image " << i << ", class " << c;
      }
    }
  }
}

}  // namespace
}  // namespace digit
