#include "model/engine/packed_network.h"

#include <gtest/gtest.h>

#include "model/engine/winograd.h"
#include "tests/unit/model/engine/random_model.h"

namespace digit {
namespace {

class PackedNetworkTest : public ::testing::Test {
 protected:
  const Model model_ = RandomModel(1, {.conv1 = 3, .conv2 = 20, .hidden = 70, .classes = 11});
  const DigitCnn net_ = *FindDigitCnn(model_.file.tensors);
  const PackedNetwork packed_{net_};
};

TEST_F(PackedNetworkTest, PadsEveryWidthToABlock) {
  EXPECT_EQ(packed_.conv1_channels, 16);
  EXPECT_EQ(packed_.conv2_channels, 32);
  EXPECT_EQ(packed_.hidden, 80);
  EXPECT_EQ(packed_.outputs, 16);
  EXPECT_EQ(packed_.features, 25 * 32);
}

TEST_F(PackedNetworkTest, ScalesConv1ToBytesAndPadsWithZeros) {
  for (int tap = 0; tap < 9; ++tap) {
    for (int channel = 0; channel < 16; ++channel) {
      const float want = channel < 3 ? net_.conv1_weight[channel * 9 + tap] / 255 : 0;
      EXPECT_EQ(packed_.conv1_weights[tap * 16 + channel], want) << tap << ", " << channel;
    }
  }
  EXPECT_EQ(packed_.conv1_bias[2], net_.conv1_bias[2]);
  EXPECT_EQ(packed_.conv1_bias[3], 0);
}

TEST_F(PackedNetworkTest, TransformsEveryKernelOfConv2) {
  const size_t matrix = 16 * 32;
  for (int in = 0; in < 16; ++in) {
    for (int out = 0; out < 32; ++out) {
      float want[kWinogradPoints] = {};
      if (in < 3 && out < 20) TransformKernel(&net_.conv2_weight[(out * 3 + in) * 9], want);
      for (int point = 0; point < kWinogradPoints; ++point) {
        ASSERT_EQ(packed_.conv2_weights[point * matrix + packed_.conv2().Index(in, out)], want[point])
            << in << " " << out;
      }
    }
  }
}

TEST_F(PackedNetworkTest, TurnsFc1FromChannelsOutermostToInnermost) {
  for (int out = 0; out < 80; ++out) {
    for (int pixel = 0; pixel < kFeaturePixels; ++pixel) {
      for (int channel = 0; channel < 32; ++channel) {
        const bool real = out < 70 && channel < 20;
        const float want = real ? net_.fc1_weight[(out * 20 + channel) * kFeaturePixels + pixel] : 0;
        ASSERT_EQ(packed_.fc1_weights[packed_.fc1().Index(pixel * 32 + channel, out)], want) << out << " " << pixel;
      }
    }
  }
}

TEST_F(PackedNetworkTest, PacksFc2) {
  for (int out = 0; out < 16; ++out) {
    for (int in = 0; in < 80; ++in) {
      const float want = out < 11 && in < 70 ? net_.fc2_weight[out * 70 + in] : 0;
      ASSERT_EQ(packed_.fc2_weights[packed_.fc2().Index(in, out)], want) << out << " " << in;
    }
  }
  EXPECT_EQ(packed_.fc2_bias[10], net_.fc2_bias[10]);
  EXPECT_EQ(packed_.fc2_bias[11], 0);
}

}  // namespace
}  // namespace digit
