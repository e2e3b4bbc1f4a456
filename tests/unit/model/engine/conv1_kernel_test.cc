#include "model/engine/conv1_kernel.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "model/spec/model_spec.h"
#include "tests/unit/model/engine/every_target.h"
#include "tests/unit/model/engine/random_model.h"
#include "tests/unit/model/engine/random_values.h"

namespace digit {
namespace {

constexpr int kMapPixels = kMapSide * kMapSide;

// The layer as obvious loops, in double.
std::vector<double> PlainConv1(const uint8_t* pixels, const std::vector<float>& weights,
                               const std::vector<float>& bias) {
  const int channels = static_cast<int>(bias.size());
  std::vector<double> map(kMapPixels * channels, 0.0);
  for (int y = 0; y < 2 * kMapSide; ++y) {
    for (int x = 0; x < 2 * kMapSide; ++x) {
      for (int c = 0; c < channels; ++c) {
        double sum = bias[c];
        for (int tap = 0; tap < 9; ++tap) {
          const uint8_t pixel = pixels[(y + tap / 3) * kImageSide + x + tap % 3];
          sum += double{weights[tap * channels + c]} * pixel;
        }
        double& pooled = map[(y / 2 * kMapSide + x / 2) * channels + c];
        pooled = std::max(pooled, sum);
      }
    }
  }
  return map;
}

void ExpectPlain(const std::vector<uint8_t>& pixels, int channels, uint32_t seed) {
  SCOPED_TRACE(testing::Message() << "seed " << seed << ", " << channels << " channels");
  std::vector<float> weights = RandomValues(seed, 9 * channels);
  for (float& weight : weights) weight /= 255;
  const std::vector<float> bias = RandomValues(seed + 1, channels);
  const std::vector<double> want = PlainConv1(pixels.data(), weights, bias);
  OnEveryTarget([&] {
    std::vector<float> got(want.size(), -1);
    Conv1(pixels.data(), weights.data(), bias.data(), channels, got.data());
    for (size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(got[i], want[i], 2e-6) << "at " << i;
  });
}

TEST(Conv1KernelTest, AgreesWithPlainLoops) {
  for (int channels : {16, 32, 48}) {
    for (uint32_t seed : {1, 2, 3}) ExpectPlain(RandomImages(seed, 1), channels, seed);
  }
}

TEST(Conv1KernelTest, AgreesWithPlainLoopsWhereverThereIsInk) {
  for (int i = 0; i < kImagePixels; i += 5) {  // one pixel on paper, all residues of rows and columns
    std::vector<uint8_t> pixels(kImagePixels, 0);
    pixels[i] = 255;
    ExpectPlain(pixels, 16, i);
  }
}

TEST(Conv1KernelTest, AgreesWithPlainLoopsOnPaperAndOnInk) {
  ExpectPlain(std::vector<uint8_t>(kImagePixels, 0), 32, 1);
  ExpectPlain(std::vector<uint8_t>(kImagePixels, 255), 32, 2);
}

TEST(Conv1KernelTest, NeverReadsTheLastTwoRowsAndColumns) {
  std::vector<uint8_t> pixels = RandomImages(1, 1);
  const std::vector<float> weights = RandomValues(1, 9 * 16), bias = RandomValues(2, 16);
  std::vector<float> before(kMapPixels * 16), after(kMapPixels * 16);
  Conv1(pixels.data(), weights.data(), bias.data(), 16, before.data());
  for (int i = 0; i < kImagePixels; ++i) {
    if (i / kImageSide >= 26 || i % kImageSide >= 26) pixels[i] ^= 0xff;
  }
  Conv1(pixels.data(), weights.data(), bias.data(), 16, after.data());
  EXPECT_EQ(before, after);
}

}  // namespace
}  // namespace digit
