#include "client/ctl/terminal.h"

#include <gtest/gtest.h>

#include <clocale>
#include <string>

namespace digit {
namespace {

TEST(PrintableTest, EscapesControlsAndRepairsUtf8) {
  EXPECT_EQ(Printable("a b/数字.png"), "a b/数字.png");
  EXPECT_EQ(Printable("\x1b[31m\n\x7f"), "\\x1b[31m\\x0a\\x7f");
  EXPECT_EQ(Printable("\xc2\x9b"), "\\x9b");  // CSI in the C1 range
  EXPECT_EQ(Printable("\xff"), "\xEF\xBF\xBD");
}

TEST(ValidUtf8Test, ReplacesEachByteThatIsNotPartOfASequence) {
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(ValidUtf8("\xc3\xa9\n"), "\xc3\xa9\n");
  EXPECT_EQ(ValidUtf8("\xc3"), r);                          // cut short
  EXPECT_EQ(ValidUtf8("\xc0\xaf"), r + r);                  // overlong
  EXPECT_EQ(ValidUtf8("\xed\xa0\x80"), r + r + r);          // a surrogate
  EXPECT_EQ(ValidUtf8("\xf4\x90\x80\x80"), r + r + r + r);  // beyond U+10FFFF
  EXPECT_EQ(ValidUtf8("\xf0\x9f\x98\x80"), "\xf0\x9f\x98\x80");
}

TEST(DisplayWidthTest, CountsColumns) {
  EXPECT_EQ(DisplayWidth("abc"), 3);
  ASSERT_NE(setlocale(LC_CTYPE, "C.UTF-8"), nullptr);
  EXPECT_EQ(DisplayWidth("é"), 1);
  EXPECT_EQ(DisplayWidth("数字"), 4);
  setlocale(LC_CTYPE, "C");
  EXPECT_EQ(DisplayWidth("é"), 1);  // a character, not two bytes
}

TEST(ProgressTest, ShowsBarCountsRateAndTimeLeft) {
  EXPECT_EQ(FormatProgress(25, 100, absl::Seconds(5), 48, false), "[#####               ]  25/100  5.0/s  0:15 left");
  EXPECT_EQ(FormatProgress(100, 100, absl::Seconds(1), 49, false), "[####################]  100/100  100/s  0:00 left");
  EXPECT_EQ(FormatProgress(0, 10, absl::ZeroDuration(), 20, false), "[            ]  0/10");
}

TEST(ProgressTest, FitsTheWidth) {
  for (int width : {0, 1, 10, 30, 79, 300}) {
    EXPECT_LE(static_cast<int>(FormatProgress(123, 500, absl::Seconds(3), width, false).size()), width) << width;
  }
  EXPECT_EQ(FormatProgress(1, 2, absl::Seconds(1), 40, true).substr(0, 4), "[█");
}

}  // namespace
}  // namespace digit
