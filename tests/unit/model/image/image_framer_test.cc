#include "model/image/image_framer.h"

#include <algorithm>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/image_encoding.h"
#include "tests/support/picture_variants.h"

namespace digit {
namespace {

using namespace ::digit::testing;  // encoders and variants
using ::testing::Each;
using ::testing::HasSubstr;

GreyPicture Filled(int width, int height, uint8_t level) {
  return {width, height, std::vector<uint8_t>(static_cast<size_t>(width) * height, level)};
}

void Draw(GreyPicture& picture, PixelBox box, uint8_t level) {
  for (int y = box.top; y < box.top + box.height; ++y) {
    for (int x = box.left; x < box.left + box.width; ++x) {
      picture.pixels[static_cast<size_t>(y) * picture.width + x] = level;
    }
  }
}

// A seven of square strokes, white on black, framed as MNIST's are.
GreyPicture Seven() {
  GreyPicture seven = Filled(28, 28, 0);
  Draw(seven, {6, 5, 14, 4}, 255);
  Draw(seven, {16, 9, 4, 16}, 255);
  return seven;
}

FramedImage Framed(const std::string& file, Framing framing = Framing::kMnist) { return FrameImage(file, framing); }

double MeanDifference(const FramedImage& a, const FramedImage& b) {
  double sum = 0;
  for (int i = 0; i < kImagePixels; ++i) sum += std::abs(a.pixels[i] - b.pixels[i]);
  return sum / kImagePixels;
}

class FrameImageTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { InitImageLibrary(); }
};

TEST_F(FrameImageTest, PassesAFramedGreyPictureUnchanged) {
  const GreyPicture seven = Seven();
  for (const Framing framing : {Framing::kMnist, Framing::kNone}) {
    for (const std::string& file : {EncodePng(seven), EncodePngAs(PngKind::kRgb, seven), EncodePgm(seven)}) {
      const FramedImage framed = Framed(file, framing);
      ASSERT_EQ(framed.problem, ImageProblem::kNone) << framed.message;
      EXPECT_EQ(std::vector<uint8_t>(framed.pixels.begin(), framed.pixels.end()), seven.pixels);
      EXPECT_EQ(framed.message, "");
    }
  }
}

TEST_F(FrameImageTest, KnowsFilesThatAreSoonFramed) {
  const std::string with_more = EncodePng(Seven()), file = OnlyNeededChunks(with_more);
  EXPECT_TRUE(IsSoonFramed(file));
  EXPECT_EQ(Framed(file).pixels, Framed(with_more).pixels);
  EXPECT_FALSE(IsSoonFramed(with_more));
  EXPECT_FALSE(IsSoonFramed(OnlyNeededChunks(EncodePngAs(PngKind::kRgb, Seven()))));
  EXPECT_FALSE(IsSoonFramed(OnlyNeededChunks(EncodePngAs(PngKind::kGrey16, Seven()))));
  EXPECT_FALSE(IsSoonFramed(OnlyNeededChunks(EncodePng(Filled(28, 29, 7)))));
  EXPECT_FALSE(IsSoonFramed(EncodePgm(Seven())));
  EXPECT_FALSE(IsSoonFramed(""));
  for (size_t size = 1; size < file.size(); ++size) EXPECT_FALSE(IsSoonFramed(file.substr(0, size)));
  EXPECT_FALSE(IsSoonFramed(file + "more"));
  std::string with_text = file;
  with_text.insert(33, std::string("\0\0\0\4zTXtx\0\0\0crc.", 16));
  EXPECT_FALSE(IsSoonFramed(with_text));
  with_text = file;
  with_text.insert(file.size() - 12, std::string("\0\0\0\4zTXtx\0\0\0crc.", 16));
  EXPECT_FALSE(IsSoonFramed(with_text));
}

TEST_F(FrameImageTest, DamagedPicturesWriteNothingToStderrWhichOthersStillCan) {
  GreyPicture big = Filled(200, 200, 255);
  Draw(big, {80, 20, 30, 160}, 0);
  ::testing::internal::CaptureStderr();
  for (const std::string& whole : {EncodePng(big), EncodeJpeg(big, 90)}) {
    std::string damaged = whole.substr(0, whole.size() / 2);
    Framed(damaged);
    std::fill(damaged.begin() + static_cast<int64_t>(damaged.size() * 3 / 4), damaged.end(), 'x');
    Framed(damaged);
  }
  std::fprintf(stderr, "still %s\n", "here");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "still here\n");
}

TEST_F(FrameImageTest, InvertsAFramedGreyPictureWithABrightBorder) {
  const FramedImage framed = Framed(EncodePng(Invert(Seven())));
  EXPECT_EQ(std::vector<uint8_t>(framed.pixels.begin(), framed.pixels.end()), Seven().pixels);
}

TEST_F(FrameImageTest, GivesTheSamePictureInEveryFormatAndPolarity) {
  const GreyPicture large = EnlargeNearest(Seven(), 8);
  const FramedImage expected = Framed(EncodePng(large));
  ASSERT_EQ(expected.problem, ImageProblem::kNone) << expected.message;
  for (const GreyPicture& picture : {large, Invert(large)}) {
    for (const std::string& file :
         {EncodePng(picture), EncodePngAs(PngKind::kGrey1, picture), EncodePngAs(PngKind::kGrey16, picture),
          EncodePngAs(PngKind::kPalette, picture), EncodePngAs(PngKind::kRgba, picture), EncodeBmp(picture),
          EncodeGif(picture), EncodeWebP(picture), EncodeAsciiPgm(picture), EncodeJpeg(picture, 90),
          EncodeJpeg(picture, 90, true), EncodeColorJpeg(picture, 90, 20)}) {
      const FramedImage framed = Framed(file);
      ASSERT_EQ(framed.problem, ImageProblem::kNone) << framed.message;
      EXPECT_LT(MeanDifference(framed, expected), 3);
    }
  }
}

TEST_F(FrameImageTest, FramesTheSameWhereverTheDigitStands) {
  std::mt19937 random(5);
  const GreyPicture large = EnlargeNearest(Seven(), 8);
  const FramedImage expected = Framed(EncodePng(large));
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Framed(EncodePgm(MoveOnCanvas(large, 0, random))).pixels, expected.pixels);
  }
}

TEST_F(FrameImageTest, ReadsInkThatIsOnlyInTheAlphaChannel) {
  const GreyPicture large = EnlargeNearest(Seven(), 8);
  const FramedImage expected = Framed(EncodePng(large));
  for (const uint32_t rgb : {0x000000u, 0xFFFFFFu, 0x2040C0u}) {
    EXPECT_LT(MeanDifference(Framed(EncodePngWithAlpha(rgb, large)), expected), 1) << rgb;
  }
}

TEST_F(FrameImageTest, ReadsInkOnUnevenlyLitPaper) {
  std::mt19937 random(5);
  const GreyPicture large = EnlargeNearest(Seven(), 8);
  const FramedImage expected = Framed(EncodePng(large));
  for (const double slope : {0.0, 30.0, 60.0}) {
    const FramedImage framed = Framed(EncodeJpeg(PutOnPaper(large, {.brightness = 170, .slope = slope}, random), 80));
    ASSERT_EQ(framed.problem, ImageProblem::kNone) << framed.message;
    EXPECT_LT(MeanDifference(framed, expected), 12) << slope;
  }
}

TEST_F(FrameImageTest, CallsABlankPageNoDigit) {
  std::mt19937 random(5);
  std::vector<std::string> files;
  for (const uint8_t level : {0, 120, 255}) {
    for (const int side : {28, 200}) files.push_back(EncodePng(Filled(side, side, level)));
  }
  for (const double grain : {2.0, 8.0}) {
    files.push_back(EncodePgm(PutOnPaper(Filled(300, 200, 0), {.grain = grain}, random)));
    files.push_back(EncodeJpeg(PutOnPaper(Filled(300, 200, 0), {.slope = 20, .grain = grain}, random), 80));
  }
  files.push_back(EncodePngWithAlpha(0x000000, Filled(200, 200, 0)));
  for (size_t i = 0; i < files.size(); ++i) {
    const FramedImage framed = Framed(files[i]);
    EXPECT_EQ(framed.problem, ImageProblem::kNoDigit) << i;
    EXPECT_THAT(framed.message, HasSubstr("no digit found")) << i;
    EXPECT_THAT(framed.pixels, Each(0)) << i;
  }
}

TEST_F(FrameImageTest, ScalesTheWholePictureWithoutFraming) {
  GreyPicture picture = Filled(56, 56, 10);
  Draw(picture, {0, 14, 56, 28}, 90);
  const FramedImage framed = Framed(EncodePng(picture), Framing::kNone);
  ASSERT_EQ(framed.problem, ImageProblem::kNone) << framed.message;
  EXPECT_EQ(framed.pixels[0], 10);
  EXPECT_EQ(framed.pixels[14 * 28], 90);
}

TEST_F(FrameImageTest, FindsAFileThatIsTooLargeInItsHeader) {
  std::string bomb = EncodePng(Filled(8, 8, 0));
  bomb[18] = 20000 >> 8, bomb[19] = static_cast<char>(20000 & 255);  // IHDR width, big endian
  bomb[22] = 20000 >> 8, bomb[23] = static_cast<char>(20000 & 255);
  const FramedImage framed = Framed(bomb);
  EXPECT_EQ(framed.problem, ImageProblem::kTooLarge);
  EXPECT_THAT(framed.message, HasSubstr("20000x20000 pixels exceeds the largest side of 12000"));
  EXPECT_EQ(Framed("P5\n9000 9000\n255\n").problem, ImageProblem::kTooLarge);

  const FramedImage bytes = FrameImage(EncodePng(Seven()), Framing::kMnist, {.max_file_bytes = 10});
  EXPECT_EQ(bytes.problem, ImageProblem::kTooLarge);
  EXPECT_THAT(bytes.message, HasSubstr("limit 10"));
}

TEST_F(FrameImageTest, SurvivesCutAndChangedFilesOfEveryFormat) {
  std::mt19937 random(11);
  const GreyPicture large = EnlargeSmooth(Seven(), 2);
  for (const std::string& file :
       {EncodePng(large), EncodePngAs(PngKind::kPalette, large), EncodePngWithAlpha(0, large), EncodeBmp(large),
        EncodeGif(large), EncodeWebP(large), EncodePgm(large), EncodeAsciiPgm(large),
        WithExifOrientation(EncodeJpeg(large, 80), 6, true), EncodeJpeg(large, 80, true)}) {
    for (int i = 0; i < 150; ++i) {
      std::string damaged = file;
      for (int flips = 0; flips < 1 + i % 4; ++flips) {
        damaged[random() % damaged.size()] ^= static_cast<char>(1 << random() % 8);
      }
      if (i % 3 == 0) damaged.resize(random() % damaged.size());
      const FramedImage framed = FrameImage(damaged, Framing::kMnist, {.max_pixels = 1'000'000});
      EXPECT_EQ(framed.message.empty(), framed.problem == ImageProblem::kNone);
    }
  }
}

}  // namespace
}  // namespace digit
