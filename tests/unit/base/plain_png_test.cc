#include "base/plain_png.h"

#include <string>

#include "gtest/gtest.h"

namespace digit {
namespace {

// A 28x29 file with `chunks` behind its IHDR. CRCs are not looked at.
std::string Png(const std::string& chunks, char interlaced = 0) {
  return std::string("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x1c\0\0\0\x1d\x10\x2\0\0", 28) + interlaced + "crc." + chunks;
}

const std::string kIdat("\0\0\0\3IDATxyzcrc.", 15), kEnd("\0\0\0\0IENDcrc.", 12);

TEST(PlainPngTest, SaysWhatTheHeaderSays) {
  const std::optional<PlainPng> png = ReadPlainPng(Png(kIdat + kEnd));
  ASSERT_TRUE(png.has_value());
  EXPECT_EQ(png->width, 28u);
  EXPECT_EQ(png->height, 29u);
  EXPECT_EQ(png->bit_depth, 16);
  EXPECT_EQ(png->colour_type, 2);
}

TEST(PlainPngTest, FilesWithMoreOrLessInThemAreNotPlain) {
  const std::string text("\0\0\0\1zTXtxcrc.", 13), whole = Png(kIdat + kEnd);
  for (const std::string& file :
       {Png(text + kIdat + kEnd), Png(kIdat + text + kEnd), Png(kIdat + kIdat + kEnd), Png(kIdat + kEnd + "more"),
        Png(kEnd), Png(kIdat), Png(kIdat + kEnd, 1), std::string("GIF89a"), "\xff\xd8\xff" + whole}) {
    EXPECT_FALSE(ReadPlainPng(file).has_value());
  }
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(ReadPlainPng(whole.substr(0, size)).has_value());
}

}  // namespace
}  // namespace digit
