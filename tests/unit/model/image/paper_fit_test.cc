#include "model/image/paper_fit.h"

#include <cstdlib>

#include "gtest/gtest.h"

namespace digit {
namespace {

GreyPicture Lit(int side, int bold_from, int bold_to) {
  GreyPicture picture{side, side, std::vector<uint8_t>(static_cast<size_t>(side) * side)};
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const bool ink = x >= bold_from && x < bold_to && y >= bold_from && y < bold_to;
      picture.pixels[static_cast<size_t>(y) * side + x] = static_cast<uint8_t>(ink ? 20 : 120 + 100 * x / side);
    }
  }
  return picture;
}

TEST(FitPaperTest, FollowsALampAtOneSideUnderBoldInk) {
  const GreyPicture plain = Lit(100, 0, 0);
  const GreyPicture paper = FitPaper(Lit(100, 28, 72));  // a fifth of the picture
  for (size_t i = 0; i < paper.pixels.size(); ++i) ASSERT_NEAR(paper.pixels[i], plain.pixels[i], 8) << i;
}

TEST(FitPaperTest, GivesAFlatPictureBackAtEverySize) {
  for (const auto& [width, height] : {std::pair(1, 1), {1, 9}, {9, 1}, {2, 2}, {33, 700}}) {
    const GreyPicture flat{width, height, std::vector<uint8_t>(static_cast<size_t>(width) * height, 200)};
    for (const uint8_t level : FitPaper(flat).pixels) ASSERT_NEAR(level, 200, 1) << width << "x" << height;
  }
}

}  // namespace
}  // namespace digit
