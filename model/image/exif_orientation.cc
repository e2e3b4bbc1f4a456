#include "model/image/exif_orientation.h"

#include <cstdint>
#include <utility>

#include "absl/strings/strip.h"

namespace digit {
namespace {

// Before the TIFF header, always in JPEG and by some writers elsewhere.
constexpr absl::string_view kExif("Exif\0\0", 6);

// Bounded reads in one byte order. Reading past the end gives 0 and clears ok().
class NumberReader {
 public:
  NumberReader(absl::string_view bytes, bool big_endian) : bytes_(bytes), big_endian_(big_endian) {}

  uint32_t U16(uint64_t offset) { return Read(offset, 2); }
  uint32_t U32(uint64_t offset) { return Read(offset, 4); }
  bool ok() const { return ok_; }

 private:
  uint32_t Read(uint64_t offset, uint64_t size) {
    if (offset > bytes_.size() || bytes_.size() - offset < size) {
      ok_ = false;
      return 0;
    }
    uint32_t value = 0;
    for (uint64_t i = 0; i < size; ++i) {
      const uint64_t at = offset + (big_endian_ ? i : size - 1 - i);
      value = value << 8 | static_cast<uint8_t>(bytes_[at]);
    }
    return value;
  }

  const absl::string_view bytes_;
  const bool big_endian_;
  bool ok_ = true;
};

// `tiff` starts at the byte order mark; only the first directory is read, which is where the tag belongs.
int OrientationInTiff(absl::string_view tiff) {
  constexpr uint32_t kOrientationTag = 0x0112;
  constexpr uint32_t kShort = 3;
  if (tiff.size() < 8 || (tiff.substr(0, 2) != "II" && tiff.substr(0, 2) != "MM")) return 1;
  NumberReader reader(tiff, tiff[0] == 'M');
  if (reader.U16(2) != 42) return 1;
  const uint64_t directory = reader.U32(4);
  const uint32_t num_entries = reader.U16(directory);
  for (uint32_t i = 0; i < num_entries && reader.ok(); ++i) {
    const uint64_t entry = directory + 2 + uint64_t{12} * i;
    if (reader.U16(entry) != kOrientationTag) continue;
    const uint32_t type = reader.U16(entry + 2);
    const uint32_t value = reader.U16(entry + 8);
    return reader.ok() && type == kShort && value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

int OrientationInBlock(absl::string_view block) { return OrientationInTiff(absl::StripPrefix(block, kExif)); }

}  // namespace

int JpegOrientation(absl::string_view jpeg) {
  constexpr uint8_t kApp1 = 0xE1, kStartOfScan = 0xDA;
  for (size_t at = 2; at + 4 <= jpeg.size();) {  // after the SOI marker: segments of marker, length, data
    const auto byte = [&](size_t i) { return static_cast<uint8_t>(jpeg[at + i]); };
    if (byte(0) != 0xFF) return 1;
    if (byte(1) == 0xFF) {  // fill byte
      ++at;
      continue;
    }
    const size_t length = static_cast<size_t>(byte(2)) << 8 | byte(3);  // counts itself, not the marker
    if (byte(1) == kStartOfScan || length < 2 || jpeg.size() - at - 2 < length) return 1;
    const absl::string_view data = jpeg.substr(at + 4, length - 2);
    if (byte(1) == kApp1 && data.substr(0, kExif.size()) == kExif) return OrientationInTiff(data.substr(kExif.size()));
    at += 2 + length;
  }
  return 1;
}

int PngOrientation(absl::string_view png) {
  constexpr uint64_t kSignatureBytes = 8, kAroundData = 12;  // length, type; CRC
  NumberReader numbers(png, /*big_endian=*/true);
  for (uint64_t at = kSignatureBytes; at + kAroundData <= png.size();) {
    const uint64_t length = numbers.U32(at);
    if (png.size() - at - kAroundData < length) return 1;
    if (png.substr(at + 4, 4) == "eXIf") return OrientationInBlock(png.substr(at + 8, length));
    at += kAroundData + length;
  }
  return 1;
}

int WebPOrientation(absl::string_view webp) {
  constexpr uint64_t kRiffBytes = 12, kHeaderBytes = 8;  // type, length
  NumberReader numbers(webp, /*big_endian=*/false);
  for (uint64_t at = kRiffBytes; at + kHeaderBytes <= webp.size();) {
    const uint64_t length = numbers.U32(at + 4);
    if (webp.size() - at - kHeaderBytes < length) return 1;
    if (webp.substr(at, 4) == "EXIF") return OrientationInBlock(webp.substr(at + kHeaderBytes, length));
    at += kHeaderBytes + length + length % 2;
  }
  return 1;
}

GreyPicture ApplyOrientation(GreyPicture picture, int orientation) {
  if (orientation <= 1 || orientation > 8) return picture;
  const bool transposed = orientation >= 5;
  const int w = picture.width, h = picture.height;
  GreyPicture result{transposed ? h : w, transposed ? w : h, std::vector<uint8_t>(picture.pixels.size())};
  // Which end of the stored picture the seen one starts at, for stored x and y.
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  size_t out = 0;
  for (int y = 0; y < result.height; ++y) {
    for (int x = 0; x < result.width; ++x) {
      const int stored_x = transposed ? y : x;
      const int stored_y = transposed ? x : y;
      result.pixels[out++] =
          picture.At(from_right ? w - 1 - stored_x : stored_x, from_bottom ? h - 1 - stored_y : stored_y);
    }
  }
  return result;
}

}  // namespace digit
