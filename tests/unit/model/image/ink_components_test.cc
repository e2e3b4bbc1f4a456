#include "model/image/ink_components.h"

#include "gtest/gtest.h"

namespace digit {
namespace {

GreyPicture Page() { return {100, 100, std::vector<uint8_t>(10000)}; }

void Draw(GreyPicture& ink, PixelBox box, uint8_t level) {
  for (int y = box.top; y < box.top + box.height; ++y) {
    for (int x = box.left; x < box.left + box.width; ++x) ink.pixels[static_cast<size_t>(y) * ink.width + x] = level;
  }
}

void ExpectBox(const absl::StatusOr<PixelBox>& box, const PixelBox& expected) {
  ASSERT_TRUE(box.ok()) << box.status();
  EXPECT_EQ(box->left, expected.left);
  EXPECT_EQ(box->top, expected.top);
  EXPECT_EQ(box->width, expected.width);
  EXPECT_EQ(box->height, expected.height);
}

TEST(KeepDigitTest, KeepsStrokesThatDoNotTouch) {
  GreyPicture ink = Page();
  Draw(ink, {40, 30, 10, 40}, 255);
  Draw(ink, {55, 25, 15, 5}, 255);  // the bar of a five
  ExpectBox(KeepDigit(ink), {40, 25, 30, 45});
}

TEST(KeepDigitTest, ClearsSpecksAndFaintMarks) {
  GreyPicture ink = Page();
  Draw(ink, {40, 30, 10, 40}, 255);
  Draw(ink, {5, 5, 1, 2}, 255);
  Draw(ink, {80, 70, 9, 9}, 90);
  ExpectBox(KeepDigit(ink), {40, 30, 10, 40});
  EXPECT_EQ(ink.At(5, 5), 0);
  EXPECT_EQ(ink.At(85, 75), 0);
  EXPECT_EQ(ink.At(45, 50), 255);
}

TEST(KeepDigitTest, ClearsTheTableBesideThePaper) {
  GreyPicture ink = Page();
  Draw(ink, {0, 0, 15, 100}, 255);
  Draw(ink, {50, 30, 4, 40}, 255);
  ExpectBox(KeepDigit(ink), {50, 30, 4, 40});
}

TEST(KeepDigitTest, KeepsADigitThatFillsThePicture) {
  GreyPicture ink = Page();
  Draw(ink, {0, 0, 100, 20}, 255);
  Draw(ink, {80, 20, 20, 80}, 255);
  ExpectBox(KeepDigit(ink), {0, 0, 100, 100});
}

TEST(KeepDigitTest, FindsNothingOnAnEmptyPageOrOneWithADot) {
  GreyPicture empty = Page();
  EXPECT_EQ(KeepDigit(empty).status().code(), absl::StatusCode::kNotFound);
  GreyPicture dot = Page();
  Draw(dot, {50, 50, 2, 2}, 255);
  EXPECT_EQ(KeepDigit(dot).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace digit
