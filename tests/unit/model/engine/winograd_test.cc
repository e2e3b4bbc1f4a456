#include "model/engine/winograd.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "model/engine/digit_cnn.h"
#include "tests/unit/model/engine/every_target.h"
#include "tests/unit/model/engine/random_values.h"

namespace digit {
namespace {

constexpr int kConvSide = 10;  // what the 5x5 pooling windows read
// Inputs and weights up to 1 in fp32: the rounding of tiles this large. A wrong coefficient is off by far more.
constexpr double kTolerance = 3e-5;

// pooled = relu(max over each window of conv(map) + bias) of one input and one output channel, in double.
std::vector<double> PlainLayer(const std::vector<double>& map, const float* kernel, double bias) {
  std::vector<double> pooled(kFeaturePixels, 0.0);
  for (int y = 0; y < kConvSide; ++y) {
    for (int x = 0; x < kConvSide; ++x) {
      double sum = bias;
      for (int tap = 0; tap < 9; ++tap) sum += kernel[tap] * map[(y + tap / 3) * kMapSide + x + tap % 3];
      double& window = pooled[y / 2 * kFeatureSide + x / 2];
      window = std::max(window, sum);
    }
  }
  return pooled;
}

// Every channel with its own kernel and bias, none mixed with another: the transforms, without the matrix products.
void ExpectPlainConvolution(const std::vector<float>& map, int channels, uint32_t seed) {
  SCOPED_TRACE(testing::Message() << "seed " << seed << ", " << channels << " channels");
  const std::vector<float> kernels = RandomValues(seed, 9 * channels), bias = RandomValues(seed + 1, channels);
  OnEveryTarget([&] {
    std::vector<float> points(kWinogradPoints * PointStride(channels)), pooled(kFeaturePixels * channels, -1);
    TransformInput(map.data(), channels, points.data());
    for (int c = 0; c < channels; ++c) {
      float kernel[kWinogradPoints];
      TransformKernel(&kernels[9 * c], kernel);
      for (int point = 0; point < kWinogradPoints; ++point) {
        for (int tile = 0; tile < kTiles; ++tile) {
          points[point * PointStride(channels) + tile * channels + c] *= kernel[point];
        }
      }
    }
    TransformOutputAndPool(points.data(), bias.data(), channels, pooled.data());
    for (int c = 0; c < channels; ++c) {
      std::vector<double> one(kMapSide * kMapSide);
      for (size_t i = 0; i < one.size(); ++i) one[i] = map[i * channels + c];
      const std::vector<double> want = PlainLayer(one, &kernels[9 * c], bias[c]);
      for (int i = 0; i < kFeaturePixels; ++i)
        ASSERT_NEAR(pooled[i * channels + c], want[i], kTolerance) << i << ", " << c;
    }
  });
}

TEST(WinogradTest, AgreesWithThePlainConvolution) {
  for (int channels : {16, 32, 80}) {
    for (uint32_t seed : {1, 2, 3}) {
      ExpectPlainConvolution(RandomValues(seed + 10, kMapSide * kMapSide * channels), channels, seed);
    }
  }
}

TEST(WinogradTest, AgreesWithThePlainConvolutionForEveryPixel) {
  constexpr int kChannels = 16;
  for (int pixel = 0; pixel < kMapSide * kMapSide; ++pixel) {
    std::vector<float> map(kMapSide * kMapSide * kChannels, 0.0f);
    std::fill_n(&map[pixel * kChannels], kChannels, 1.0f);
    ExpectPlainConvolution(map, kChannels, pixel);
  }
}

TEST(WinogradTest, PadsTheStrideOfPowersOfTwo) {
  for (int channels : {16, 32, 64, 128}) EXPECT_EQ(PointStride(channels) % 32, 16) << channels;
}

}  // namespace
}  // namespace digit
