#include "model/image/image_decoder.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/image/exif_orientation.h"
#include "tests/support/image_encoding.h"

namespace digit {
namespace {

using ::digit::testing::EncodeAsciiPgm;
using ::digit::testing::EncodeBmp;
using ::digit::testing::EncodeColorJpeg;
using ::digit::testing::EncodeGif;
using ::digit::testing::EncodeJpeg;
using ::digit::testing::EncodePgm;
using ::digit::testing::EncodePng;
using ::digit::testing::EncodePngAs;
using ::digit::testing::EncodePngWithAlpha;
using ::digit::testing::EncodeWebP;
using ::digit::testing::PngKind;
using ::digit::testing::WithExifOrientation;

GreyPicture Filled(int width, int height, uint8_t level) {
  return {width, height, std::vector<uint8_t>(static_cast<size_t>(width) * height, level)};
}

// Black above, white below, with a black column at the left: differs from each of its turned forms.
GreyPicture Corner(int width, int height) {
  GreyPicture picture = Filled(width, height, 255);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      if (y < height / 2 || x < width / 4) picture.pixels[static_cast<size_t>(y) * width + x] = 0;
    }
  }
  return picture;
}

DecodedImage Decoded(const std::string& file) {
  const absl::StatusOr<ImageHeader> header = ReadImageHeader(file);
  EXPECT_TRUE(header.ok()) << header.status();
  if (!header.ok()) return {};
  absl::StatusOr<DecodedImage> image = DecodeImage(file, *header);
  EXPECT_TRUE(image.ok()) << image.status();
  return image.ok() ? *std::move(image) : DecodedImage{};
}

int LargestDifference(const GreyPicture& a, const GreyPicture& b) {
  if (a.width != b.width || a.height != b.height) return 256;
  int largest = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) largest = std::max(largest, std::abs(a.pixels[i] - b.pixels[i]));
  return largest;
}

TEST(DecodeImageTest, ReadsEveryLosslessFormat) {
  const GreyPicture picture = Corner(32, 24);
  const std::pair<const char*, std::string> files[] = {
      {"png", EncodePng(picture)},
      {"png, 1 bit", EncodePngAs(PngKind::kGrey1, picture)},
      {"png, 16 bits", EncodePngAs(PngKind::kGrey16, picture)},
      {"png, palette", EncodePngAs(PngKind::kPalette, picture)},
      {"png, rgb", EncodePngAs(PngKind::kRgb, picture)},
      {"png, rgba", EncodePngAs(PngKind::kRgba, picture)},
      {"bmp", EncodeBmp(picture)},
      {"gif", EncodeGif(picture)},
      {"webp", EncodeWebP(picture)},
      {"pgm", EncodePgm(picture)},
      {"pgm in words", EncodeAsciiPgm(picture)},
  };
  for (const auto& [name, file] : files) {
    const DecodedImage image = Decoded(file);
    EXPECT_LE(LargestDifference(image.light, picture), 1) << name;
    EXPECT_TRUE(image.is_grey) << name;
    EXPECT_FALSE(image.has_alpha) << name;
  }
}

TEST(DecodeImageTest, ReadsOtherPnmKinds) {
  EXPECT_THAT(Decoded("P1\n3 1\n0 1 0\n").light.pixels, ::testing::ElementsAre(255, 0, 255));
  EXPECT_THAT(Decoded("P4\n3 1\n\x40").light.pixels, ::testing::ElementsAre(255, 0, 255));
  EXPECT_THAT(Decoded("P3\n2 1\n255\n255 255 255 0 0 0\n").light.pixels, ::testing::ElementsAre(255, 0));
  const DecodedImage red = Decoded("P6\n1 1\n255\n\xFF\x01\x01");
  EXPECT_NEAR(red.light.pixels.at(0), 77, 1);
  EXPECT_FALSE(red.is_grey);
}

TEST(DecodeImageTest, ReadsBaselineAndProgressiveJpeg) {
  const GreyPicture picture = Corner(64, 48);
  for (const bool progressive : {false, true}) {
    EXPECT_LE(LargestDifference(Decoded(EncodeJpeg(picture, 95, progressive)).light, picture), 24);
  }
}

TEST(DecodeImageTest, TellsColourFromGrey) {
  const GreyPicture picture = Corner(28, 28);
  EXPECT_TRUE(Decoded(EncodeColorJpeg(picture, 90, 0)).is_grey);
  EXPECT_FALSE(Decoded(EncodeColorJpeg(Filled(28, 28, 100), 90, 100)).is_grey);
}

// Photo programs that turn no pixels write the orientation into PNG and WebP too.
TEST(DecodeImageTest, TurnsPngAndWebPByTheirOrientation) {
  const GreyPicture picture = Corner(64, 48);
  for (const std::string& file : {EncodePng(picture), EncodeWebP(picture)}) {
    for (int orientation = 1; orientation <= 8; ++orientation) {
      const DecodedImage image = Decoded(WithExifOrientation(file, orientation, orientation % 2 == 0));
      EXPECT_EQ(LargestDifference(image.light, ApplyOrientation(picture, orientation)), 0) << orientation;
    }
  }
}

TEST(DecodeImageTest, TurnsJpegByItsOrientation) {
  const GreyPicture picture = Corner(64, 48);
  const std::string jpeg = EncodeJpeg(picture, 95);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const DecodedImage image = Decoded(WithExifOrientation(jpeg, orientation, orientation % 2 == 0));
    // The stored picture's corner pixel (black) and the one far from both bars (white) say where it went.
    const bool transposed = orientation >= 5;
    ASSERT_EQ(image.light.width, transposed ? 48 : 64) << orientation;
    const bool right = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
    const bool bottom = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
    const int w = image.light.width, h = image.light.height;
    EXPECT_LT(image.light.At(right ? w - 2 : 1, bottom ? h - 2 : 1), 60) << orientation;
    EXPECT_GT(image.light.At(right ? 1 : w - 2, bottom ? 1 : h - 2), 200) << orientation;
  }
}

TEST(DecodeImageTest, MakesLargePicturesSmall) {
  for (const std::string& file : {EncodePng(Corner(3000, 1600)), EncodeJpeg(Corner(3000, 1600), 90)}) {
    const GreyPicture light = Decoded(file).light;
    EXPECT_LE(std::max(light.width, light.height), kWorkingSide);
    EXPECT_GE(light.width, 600);
    EXPECT_NEAR(static_cast<double>(light.width) / light.height, 3000.0 / 1600, 0.01);
    EXPECT_LT(light.At(2, 2), 10);
    EXPECT_GT(light.At(light.width - 2, light.height - 2), 245);
  }
}

TEST(DecodeImageTest, ShowsStrokesOnAClearCanvasWhateverTheirColour) {
  GreyPicture alpha = Filled(20, 20, 0);
  alpha.pixels[210] = 255;
  const DecodedImage black = Decoded(EncodePngWithAlpha(0x000000, alpha));
  EXPECT_TRUE(black.has_alpha);
  EXPECT_EQ(black.light.pixels[210], 0);
  EXPECT_EQ(black.light.pixels[0], 255);
  const DecodedImage white = Decoded(EncodePngWithAlpha(0xFFFFFF, alpha));
  EXPECT_EQ(white.light.pixels[210], 255);
  EXPECT_EQ(white.light.pixels[0], 0);
}

TEST(DecodeImageTest, RefusesDamage) {
  const GreyPicture picture = Corner(64, 48);
  for (const std::string& file :
       {EncodePng(picture), EncodeJpeg(picture, 90), EncodeWebP(picture), EncodePgm(picture), EncodeBmp(picture)}) {
    const std::string cut = file.substr(0, file.size() * 3 / 4);
    const absl::StatusOr<ImageHeader> header = ReadImageHeader(cut);
    if (!header.ok()) continue;  // WebP says its size at the start
    EXPECT_EQ(DecodeImage(cut, *header).status().code(), absl::StatusCode::kInvalidArgument)
        << static_cast<int>(header->format);
  }
}

}  // namespace
}  // namespace digit
