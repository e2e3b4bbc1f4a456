#include "model/image/mnist_framing.h"

#include <algorithm>

#include "gtest/gtest.h"
#include "tests/support/picture_variants.h"

namespace digit {
namespace {

using ::digit::testing::EnlargeNearest;

// A seven: a bar above, a leg down from its right end.
GreyPicture Seven(int width, int height, int pen, uint8_t level) {
  GreyPicture ink{width, height, std::vector<uint8_t>(static_cast<size_t>(width) * height)};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      if (y < pen || x >= width - pen) ink.pixels[static_cast<size_t>(y) * width + x] = level;
    }
  }
  return ink;
}

PixelBox Whole(const GreyPicture& p) { return {0, 0, p.width, p.height}; }

PixelBox BoxOf(const std::array<uint8_t, kImagePixels>& framed) {
  int left = kImageSide, top = kImageSide, right = -1, bottom = -1;
  for (int i = 0; i < kImagePixels; ++i) {
    if (framed[i] == 0) continue;
    left = std::min(left, i % kImageSide);
    right = std::max(right, i % kImageSide);
    top = std::min(top, i / kImageSide);
    bottom = std::max(bottom, i / kImageSide);
  }
  return {left, top, right - left + 1, bottom - top + 1};
}

TEST(FrameAsMnistTest, FillsTheTwentyPixelBoxByTheLongerSide) {
  const auto framed = FrameAsMnist(Seven(60, 100, 10, 255), {0, 0, 60, 100});
  EXPECT_EQ(BoxOf(framed).height, 20);
  EXPECT_EQ(BoxOf(framed).width, 12);
}

TEST(FrameAsMnistTest, StretchesTheDarkestPixelToFullInk) {
  const auto framed = FrameAsMnist(Seven(60, 100, 10, 130), {0, 0, 60, 100});
  EXPECT_EQ(*std::max_element(framed.begin(), framed.end()), 255);
}

TEST(FrameAsMnistTest, PutsTheCentreOfMassInTheMiddle) {
  const auto framed = FrameAsMnist(Seven(60, 100, 10, 255), {0, 0, 60, 100});
  double mass = 0, x = 0, y = 0;
  for (int i = 0; i < kImagePixels; ++i) {
    mass += framed[i];
    x += framed[i] * (i % kImageSide);
    y += framed[i] * (i / kImageSide);
  }
  // As in MNIST's own files: pixel 14, to half a pixel.
  EXPECT_NEAR(x / mass, 14, 0.5);
  EXPECT_NEAR(y / mass, 14, 0.5);
}

TEST(FrameAsMnistTest, GivesAFramedDigitBackAtAnyEnlargement) {
  const auto once = FrameAsMnist(Seven(57, 100, 12, 255), {0, 0, 57, 100});
  const GreyPicture framed = testing::PictureOf(once);
  for (const int factor : {1, 2, 3, 8}) {
    const PixelBox box = BoxOf(once);
    const PixelBox enlarged{box.left * factor, box.top * factor, box.width * factor, box.height * factor};
    EXPECT_EQ(FrameAsMnist(EnlargeNearest(framed, factor), enlarged), once) << factor;
  }
}

TEST(FrameAsMnistTest, DoesNotBlowUpATinyDigitToFullSize) {
  const GreyPicture tiny = Seven(3, 5, 1, 255);
  EXPECT_EQ(BoxOf(FrameAsMnist(tiny, Whole(tiny))).height, 10);  // a box of at least ten source pixels
}

}  // namespace
}  // namespace digit
