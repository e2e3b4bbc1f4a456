#include "base/safe_text.h"

#include "gtest/gtest.h"

namespace digit {
namespace {

TEST(SafeTextTest, IsValidUtf8WhateverWentIn) {
  EXPECT_EQ(SafeText("plain", 100), "plain");
  EXPECT_EQ(SafeText("plain", 3), "pla");
  EXPECT_EQ(SafeText("a\nb\x7f\x1b[2J", 100), "a?b??[2J");
  EXPECT_EQ(SafeText("\u00e9\u6570\U0001d7d9", 100), "\u00e9\u6570\U0001d7d9");
  EXPECT_EQ(SafeText("\u0085", 100), "?");                              // a control character of two bytes
  EXPECT_EQ(SafeText("\xff\xc3.\xc0\xaf", 100), "??.??");               // never valid, cut off, overlong
  EXPECT_EQ(SafeText("\xed\xa0\x80\xf4\x90\x80\x80", 100), "???????");  // a surrogate, beyond U+10FFFF
  EXPECT_EQ(SafeText("\xe0\x80\x80\xf0\x80\x80\x80\xf5", 100), "????????");
  for (size_t bytes = 0; bytes <= 9; ++bytes) {
    EXPECT_EQ(SafeText("a\U0001d7d9\U0001d7d9", bytes).size(), bytes == 0 ? 0 : bytes < 5 ? 1 : bytes < 9 ? 5 : 9);
  }
}

TEST(SafeTextTest, KnowsUtf8) {
  for (const char* good : {"", "plain\n", "\u00e9\u6570\U0001d7d9"}) EXPECT_TRUE(IsUtf8(good)) << good;
  for (const char* bad : {"\xff", "a\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80"})
    EXPECT_FALSE(IsUtf8(bad)) << bad;
}

}  // namespace
}  // namespace digit
