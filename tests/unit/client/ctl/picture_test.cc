#include "client/ctl/picture.h"

#include <gtest/gtest.h>

#include <vector>

#include "absl/strings/str_split.h"

namespace digit {
namespace {

// Paper, with ink in the given places.
std::string Pixels(const std::vector<std::pair<int, int>>& ink) {
  std::string pixels(kPictureSide * kPictureSide, '\0');
  for (const auto& [row, column] : ink) pixels[row * kPictureSide + column] = '\xff';
  return pixels;
}

std::vector<std::string> Lines(const std::string& text) { return absl::StrSplit(text, '\n'); }

TEST(PictureTest, HalfBlocksShowTwoRowsALine) {
  const std::vector<std::string> lines = Lines(DrawPicture(Pixels({{0, 0}, {1, 1}, {0, 2}, {1, 2}}), true, false));
  ASSERT_EQ(lines.size(), 17u);  // frame, 14 lines, frame, the end
  EXPECT_EQ(lines[0].substr(0, 10), "    ┌─");
  EXPECT_EQ(lines[1], "    │▀▄█" + std::string(25, ' ') + "│");
  EXPECT_EQ(lines[14], "    │" + std::string(28, ' ') + "│");
}

TEST(PictureTest, AsciiShowsTheMeanOfTwoRows) {
  const std::vector<std::string> lines = Lines(DrawPicture(Pixels({{0, 0}, {26, 27}, {27, 27}}), false, true));
  ASSERT_EQ(lines.size(), 17u);
  EXPECT_EQ(lines[0], "    +" + std::string(28, '-') + "+");
  EXPECT_EQ(lines[1], "    |=" + std::string(27, ' ') + "|");
  EXPECT_EQ(lines[14], "    |" + std::string(27, ' ') + "@|");
}

TEST(PictureTest, ColorUsesTheGreyRampAndEndsWithEachLine) {
  const std::vector<std::string> lines = Lines(DrawPicture(Pixels({{0, 0}}), true, true));
  EXPECT_EQ(lines[1].substr(0, lines[1].find("▀")), "    │\x1b[38;5;255;48;5;232m");
  EXPECT_EQ(lines[1].substr(lines[1].size() - 7), "\x1b[0m│");
}

TEST(PictureTest, NothingIsDrawnOfAnotherSize) {
  EXPECT_EQ(DrawPicture("", true, true), "");
  EXPECT_EQ(DrawPicture(std::string(785, 'x'), false, false), "");
}

}  // namespace
}  // namespace digit
