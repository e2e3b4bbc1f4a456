#include "model/image/exif_orientation.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/image_encoding.h"

namespace digit {
namespace {

using ::digit::testing::EncodePng;
using ::digit::testing::EncodeWebP;
using ::digit::testing::WithExifOrientation;
using ::testing::ElementsAreArray;

const std::string kBareJpeg("\xFF\xD8\xFF\xDA\x00\x02", 6);

TEST(JpegOrientationTest, IsReadInBothByteOrders) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    EXPECT_EQ(JpegOrientation(WithExifOrientation(kBareJpeg, orientation, true)), orientation);
    EXPECT_EQ(JpegOrientation(WithExifOrientation(kBareJpeg, orientation, false)), orientation);
  }
}

TEST(JpegOrientationTest, IsUprightWithoutExifOrWithANumberThatDoesNotExist) {
  EXPECT_EQ(JpegOrientation(""), 1);
  EXPECT_EQ(JpegOrientation(kBareJpeg), 1);
  EXPECT_EQ(JpegOrientation(WithExifOrientation(kBareJpeg, 0, true)), 1);
  EXPECT_EQ(JpegOrientation(WithExifOrientation(kBareJpeg, 9, false)), 1);
}

// Whatever is cut off or changed, `read` stays inside the file and gives a number that exists.
void ExpectStaysInside(const std::string& file, int (*read)(absl::string_view)) {
  for (size_t size = 0; size < file.size(); ++size) {
    // A copy of its own, so that the address sanitizer sees a read beyond its end.
    const std::string cut(file.data(), size);
    EXPECT_GE(read(cut), 1);
  }
  for (size_t i = 0; i < file.size(); ++i) {
    for (const char value : {'\x00', '\x7F', '\xFF'}) {
      std::string changed = file;
      changed[i] = value;
      const int orientation = read(changed);
      EXPECT_TRUE(orientation >= 1 && orientation <= 8) << i;
    }
  }
}

TEST(JpegOrientationTest, StaysInsideACutOrChangedFile) {
  ExpectStaysInside(WithExifOrientation(kBareJpeg, 6, false), JpegOrientation);
}

TEST(PngOrientationTest, IsReadInBothByteOrdersAndStaysInside) {
  EXPECT_EQ(PngOrientation(""), 1);
  EXPECT_EQ(PngOrientation(EncodePng({1, 1, {0}})), 1);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const std::string file = WithExifOrientation(EncodePng({1, 1, {0}}), orientation, orientation % 2 == 0);
    EXPECT_EQ(PngOrientation(file), orientation);
    ExpectStaysInside(file, PngOrientation);
  }
}

TEST(WebPOrientationTest, IsReadInBothByteOrdersAndStaysInside) {
  EXPECT_EQ(WebPOrientation(""), 1);
  EXPECT_EQ(WebPOrientation(EncodeWebP({1, 1, {0}})), 1);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const std::string file = WithExifOrientation(EncodeWebP({1, 1, {0}}), orientation, orientation % 2 == 0);
    EXPECT_EQ(WebPOrientation(file), orientation);
    ExpectStaysInside(file, WebPOrientation);
  }
}

// What a viewer shows of the stored picture
//   1 2 3
//   4 5 6
TEST(ApplyOrientationTest, TurnsAsTheStandardSays) {
  const GreyPicture stored{3, 2, {1, 2, 3, 4, 5, 6}};
  const std::vector<uint8_t> expected[] = {
      {1, 2, 3, 4, 5, 6},  // 1 as stored
      {3, 2, 1, 6, 5, 4},  // 2 mirrored
      {6, 5, 4, 3, 2, 1},  // 3 half a turn
      {4, 5, 6, 1, 2, 3},  // 4 upside down in a mirror
      {1, 4, 2, 5, 3, 6},  // 5 transposed
      {4, 1, 5, 2, 6, 3},  // 6 a quarter turn clockwise
      {6, 3, 5, 2, 4, 1},  // 7 transposed the other way
      {3, 6, 2, 5, 1, 4},  // 8 a quarter turn anticlockwise
  };
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const GreyPicture seen = ApplyOrientation(stored, orientation);
    EXPECT_EQ(seen.width, orientation >= 5 ? 2 : 3);
    EXPECT_EQ(seen.height, orientation >= 5 ? 3 : 2);
    EXPECT_THAT(seen.pixels, ElementsAreArray(expected[orientation - 1])) << orientation;
  }
}

}  // namespace
}  // namespace digit
