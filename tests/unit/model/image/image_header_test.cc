#include "model/image/image_header.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/image_encoding.h"

namespace digit {
namespace {

using ::digit::testing::EncodeBmp;
using ::digit::testing::EncodeGif;
using ::digit::testing::EncodeJpeg;
using ::digit::testing::EncodePgm;
using ::digit::testing::EncodePng;
using ::digit::testing::EncodeWebP;
using ::testing::HasSubstr;

const GreyPicture kPicture{5, 3, {0, 20, 40, 60, 80, 100, 120, 140, 160, 180, 200, 220, 240, 250, 255}};

std::string ErrorOf(absl::string_view file) { return std::string(ReadImageHeader(file).status().message()); }

TEST(ReadImageHeaderTest, FindsFormatAndSides) {
  const std::pair<std::string, ImageFormat> files[] = {
      {EncodePng(kPicture), ImageFormat::kPng},
      {EncodeJpeg(kPicture, 80), ImageFormat::kJpeg},
      {EncodeJpeg(kPicture, 80, true), ImageFormat::kJpeg},
      {EncodeBmp(kPicture), ImageFormat::kBmp},
      {EncodeGif(kPicture), ImageFormat::kGif},
      {EncodeWebP(kPicture), ImageFormat::kWebP},
      {EncodePgm(kPicture), ImageFormat::kPnm},
  };
  for (const auto& [file, format] : files) {
    const absl::StatusOr<ImageHeader> header = ReadImageHeader(file);
    ASSERT_TRUE(header.ok()) << header.status();
    EXPECT_EQ(header->format, format);
    EXPECT_EQ(header->width, 5);
    EXPECT_EQ(header->height, 3);
  }
}

TEST(ReadImageHeaderTest, SaysWhatAFileIsThatItDoesNotRead) {
  EXPECT_EQ(ErrorOf(""), "empty file");
  EXPECT_THAT(ErrorOf("hello"), HasSubstr("not an image file"));
  EXPECT_THAT(ErrorOf("%PDF-1.7"), HasSubstr("PDF is not supported"));
  EXPECT_THAT(ErrorOf(absl::string_view("II*\0aaaa", 8)), HasSubstr("TIFF is not supported"));
  EXPECT_THAT(ErrorOf(absl::string_view("\0\0\0\x18"
                                        "ftypheic",
                                        12)),
              HasSubstr("HEIC is not supported"));
  EXPECT_THAT(ErrorOf("<svg xmlns="), HasSubstr("SVG is not supported"));
}

TEST(ReadImageHeaderTest, RefusesAnimatedWebP) {
  std::string file("RIFF\x16\0\0\0WEBPVP8X\x0A\0\0\0\x02\0\0\0\x04\0\0\x02\0\0", 30);
  EXPECT_THAT(ErrorOf(file), HasSubstr("animated WebP"));
}

TEST(ReadImageHeaderTest, RefusesCompressedBmp) {
  std::string file = EncodeBmp(kPicture);
  file[30] = 1;  // run lengths
  EXPECT_THAT(ErrorOf(file), HasSubstr("compressed BMP"));
}

TEST(ReadImageHeaderTest, RefusesAJpegOfVeryManyScans) {
  std::string file = EncodeJpeg(kPicture, 80, true);
  for (int i = 0; i < 40; ++i) file += "\xFF\xDA";
  EXPECT_THAT(ErrorOf(file), HasSubstr("scans; limit 32"));
}

TEST(ReadImageHeaderTest, EndsAGifAfterItsFirstPicture) {
  const std::string file = EncodeGif(kPicture);
  const absl::StatusOr<ImageHeader> header = ReadImageHeader(file + file);
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->first_image_size, file.size() - 1);  // the trailer byte follows
}

TEST(ReadImageHeaderTest, SurvivesEveryCut) {
  for (const std::string& file : {EncodePng(kPicture), EncodeJpeg(kPicture, 80), EncodeBmp(kPicture),
                                  EncodeGif(kPicture), EncodeWebP(kPicture), EncodePgm(kPicture)}) {
    for (size_t size = 0; size < std::min<size_t>(file.size(), 60); ++size) {
      const std::string cut(file.data(), size);
      const absl::StatusOr<ImageHeader> header = ReadImageHeader(cut);
      if (header.ok()) {
        EXPECT_EQ(header->width, 5) << size;
      } else {
        EXPECT_FALSE(header.status().message().empty());
      }
    }
  }
}

TEST(CheckImageLimitsTest, NamesSizeAndLimit) {
  const ImageLimits limits{.max_pixels = 1000, .max_side = 100};
  EXPECT_TRUE(CheckImageLimits({.width = 100, .height = 10}, limits).ok());
  const absl::Status side = CheckImageLimits({.width = 101, .height = 1}, limits);
  EXPECT_EQ(side.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(side.message()), HasSubstr("101x1 pixels exceeds the largest side of 100"));
  const absl::Status pixels = CheckImageLimits({.width = 100, .height = 11}, limits);
  EXPECT_EQ(pixels.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(pixels.message()), HasSubstr("1100 pixels; limit 1000"));
}

}  // namespace
}  // namespace digit
