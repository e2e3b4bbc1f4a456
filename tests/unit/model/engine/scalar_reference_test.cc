#include "model/engine/scalar_reference.h"

#include <gtest/gtest.h>

#include "tests/unit/model/engine/random_model.h"

namespace digit {
namespace {

// All weights zero but a path of one through the middle of each kernel: the logit is computable by hand.
TEST(ScalarReferenceTest, ComputesAPathThatCanBeFollowedByHand) {
  Model model = RandomModel(1, {.conv1 = 1, .conv2 = 1, .hidden = 1, .classes = 2});
  for (NamedTensor& tensor : model.file.tensors) std::fill(tensor.values.begin(), tensor.values.end(), 0.0f);
  std::vector<NamedTensor>& t = model.file.tensors;
  t[0].values[4] = 2;                                      // conv1: twice the pixel in the middle
  t[1].values[0] = -0.5f;                                  // its bias
  t[2].values[4] = 3;                                      // conv2
  t[4].values = std::vector<float>(kFeaturePixels, 0.5f);  // fc1: half of the sum of the 5x5 features
  t[6].values = {1, -1};                                   // fc2
  t[7].values = {0.25f, 0};
  std::vector<uint8_t> pixels(kImagePixels, 0);
  // One ink pixel. Through conv1 it is at (4,6) of 26x26, pooled (2,3), through conv2 (1,2) of 11x11, pooled (0,1).
  pixels[5 * kImageSide + 7] = 255;
  std::vector<float> logits(2);
  ScalarForward(*FindDigitCnn(t), pixels, absl::MakeSpan(logits));
  // relu(2 * 1 - 0.5) = 1.5, times 3 = 4.5, half of it 2.25.
  EXPECT_FLOAT_EQ(logits[0], 2.5f);
  EXPECT_FLOAT_EQ(logits[1], -2.25f);
}

TEST(ScalarReferenceTest, NeverReadsTheLastTwoRowsAndColumns) {
  const Model model = RandomModel(1);
  const DigitCnn net = *FindDigitCnn(model.file.tensors);
  std::vector<uint8_t> pixels = RandomImages(1, 1);
  std::vector<float> before(10), after(10);
  ScalarForward(net, pixels, absl::MakeSpan(before));
  for (int i = 0; i < kImagePixels; ++i) {
    if (i / kImageSide >= 26 || i % kImageSide >= 26) pixels[i] ^= 0xff;
  }
  ScalarForward(net, pixels, absl::MakeSpan(after));
  EXPECT_EQ(before, after);
}

}  // namespace
}  // namespace digit
