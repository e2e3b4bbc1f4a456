#include "tests/support/image_encoding.h"

#include <leptonica/allheaders.h>

#include <algorithm>
#include <memory>

#include "base/check.h"

namespace digit::testing {
namespace {

struct PixDeleter {
  void operator()(Pix* pix) const { pixDestroy(&pix); }
};
using PixPtr = std::unique_ptr<Pix, PixDeleter>;

PixPtr ToPix(const GreyPicture& grey) {
  PixPtr pix(pixCreate(grey.width, grey.height, 8));
  for (int y = 0; y < grey.height; ++y) {
    l_uint32* row = pixGetData(pix.get()) + static_cast<size_t>(y) * pixGetWpl(pix.get());
    for (int x = 0; x < grey.width; ++x) SET_DATA_BYTE(row, x, grey.At(x, y));
  }
  return pix;
}

// Takes over what a pixWriteMem function made.
template <typename Write>
std::string Written(Write write) {
  l_uint8* data = nullptr;
  size_t size = 0;
  DIGIT_CHECK(write(&data, &size) == 0);
  std::string result(reinterpret_cast<char*>(data), size);
  lept_free(data);
  return result;
}

// 32 bits a pixel, blue lighter by `tint`.
PixPtr ToColorPix(const GreyPicture& grey, int tint, int samples) {
  PixPtr pix(pixCreate(grey.width, grey.height, 32));
  pixSetSpp(pix.get(), samples);
  for (int y = 0; y < grey.height; ++y) {
    for (int x = 0; x < grey.width; ++x) {
      const uint32_t v = grey.At(x, y), blue = std::min(255u, v + static_cast<uint32_t>(tint));
      pixSetPixel(pix.get(), x, y, v << 24 | v << 16 | blue << 8 | 255);
    }
  }
  return pix;
}

PixPtr ToPixOf(PngKind kind, const GreyPicture& grey) {
  PixPtr pix = ToPix(grey);
  switch (kind) {
    case PngKind::kGrey1:
      return PixPtr(pixThresholdToBinary(pix.get(), 128));
    case PngKind::kGrey16:
      return PixPtr(pixConvert8To16(pix.get(), 8));
    case PngKind::kPalette:
      return PixPtr(pixThresholdTo4bpp(pix.get(), 16, 1));
    case PngKind::kRgb:
      return ToColorPix(grey, 0, 3);
    case PngKind::kRgba:
      return ToColorPix(grey, 0, 4);
  }
  return nullptr;
}

std::string Number(uint32_t value, int size, bool big_endian) {
  std::string bytes;
  for (int i = 0; i < size; ++i) {
    bytes.push_back(static_cast<char>(value >> 8 * (big_endian ? size - 1 - i : i) & 255));
  }
  return bytes;
}

// As PNG has it (ISO 3309).
uint32_t Crc32(const std::string& bytes) {
  uint32_t crc = ~0u;
  for (const char byte : bytes) {
    crc ^= static_cast<uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
  }
  return ~crc;
}

// From the simple layout of a WebP file, of one chunk, to the extended one. `data` has an even size.
std::string WithWebPExif(const std::string& webp, const std::string& data) {
  int width = 0, height = 0, samples = 0;
  DIGIT_CHECK(
      readHeaderMemWebP(reinterpret_cast<const l_uint8*>(webp.data()), webp.size(), &width, &height, &samples) == 0);
  constexpr uint32_t kHasExif = 0x08;
  const std::string chunks = "WEBPVP8X" + Number(10, 4, false) + Number(kHasExif, 4, false) +
                             Number(static_cast<uint32_t>(width) - 1, 3, false) +
                             Number(static_cast<uint32_t>(height) - 1, 3, false) + webp.substr(12) + "EXIF" +
                             Number(static_cast<uint32_t>(data.size()), 4, false) + data;
  return "RIFF" + Number(static_cast<uint32_t>(chunks.size()), 4, false) + chunks;
}

}  // namespace

std::string EncodePngAs(PngKind kind, const GreyPicture& grey) {
  const PixPtr pix = ToPixOf(kind, grey);
  return Written([&](l_uint8** data, size_t* size) { return pixWriteMemPng(data, size, pix.get(), 0); });
}

std::string EncodeColorJpeg(const GreyPicture& grey, int quality, int tint) {
  const PixPtr pix = ToColorPix(grey, tint, 3);
  return Written([&](l_uint8** data, size_t* size) { return pixWriteMemJpeg(data, size, pix.get(), quality, 0); });
}

std::string WithExifOrientation(const std::string& file, int orientation, bool big_endian) {
  std::string tiff = (big_endian ? "MM" : "II") + Number(42, 2, big_endian) + Number(8, 4, big_endian);
  tiff += Number(2, 2, big_endian);  // two entries
  tiff +=
      Number(0x0100, 2, big_endian) + Number(4, 2, big_endian) + Number(1, 4, big_endian) + Number(77, 4, big_endian);
  tiff += Number(0x0112, 2, big_endian) + Number(3, 2, big_endian) + Number(1, 4, big_endian) +
          Number(static_cast<uint32_t>(orientation), 2, big_endian) + Number(0, 2, big_endian);
  tiff += Number(0, 4, big_endian);  // no further directory
  if (file.compare(1, 3, "PNG") == 0) {
    constexpr size_t kAfterHeader = 33;
    const std::string chunk = Number(static_cast<uint32_t>(tiff.size()), 4, true) + "eXIf" + tiff;
    return file.substr(0, kAfterHeader) + chunk + Number(Crc32(chunk.substr(4)), 4, true) + file.substr(kAfterHeader);
  }
  const std::string data = std::string("Exif\0\0", 6) + tiff;
  if (file.compare(0, 4, "RIFF") == 0) return WithWebPExif(file, data);
  return file.substr(0, 2) + "\xFF\xE1" + Number(static_cast<uint32_t>(data.size()) + 2, 2, true) + data +
         file.substr(2);
}

std::string EncodeAsciiPgm(const GreyPicture& grey) {
  std::string file = "P2\n# a comment\n" + std::to_string(grey.width) + " " + std::to_string(grey.height) + "\n255\n";
  for (const uint8_t pixel : grey.pixels) file += std::to_string(pixel) + "\n";
  return file;
}

std::string EncodePng(const GreyPicture& grey) {
  const PixPtr pix = ToPix(grey);
  return Written([&](l_uint8** data, size_t* size) { return pixWriteMemPng(data, size, pix.get(), 0); });
}

std::string EncodeJpeg(const GreyPicture& grey, int quality, bool progressive) {
  const PixPtr pix = ToPix(grey);
  return Written([&](l_uint8** data, size_t* size) {
    return pixWriteMemJpeg(data, size, pix.get(), quality, progressive ? 1 : 0);
  });
}

std::string EncodeBmp(const GreyPicture& grey) {
  const PixPtr pix = ToPix(grey);
  return Written([&](l_uint8** data, size_t* size) { return pixWriteMemBmp(data, size, pix.get()); });
}

std::string EncodeGif(const GreyPicture& grey) {
  const PixPtr pix = ToPix(grey);
  return Written([&](l_uint8** data, size_t* size) { return pixWriteMemGif(data, size, pix.get()); });
}

std::string EncodeWebP(const GreyPicture& grey) {
  const PixPtr pix = ToPix(grey);
  return Written([&](l_uint8** data, size_t* size) { return pixWriteMemWebP(data, size, pix.get(), 0, 1); });
}

std::string OnlyNeededChunks(const std::string& png) {
  std::string kept = png.substr(0, 8);
  for (size_t at = 8; at < png.size();) {
    size_t size = 12;  // the length, the name and the CRC
    for (int i = 0; i < 4; ++i) size += size_t{static_cast<uint8_t>(png[at + i])} << (24 - 8 * i);
    const std::string name = png.substr(at + 4, 4);
    if (name == "IHDR" || name == "IDAT" || name == "IEND") kept += png.substr(at, size);
    at += size;
  }
  return kept;
}

std::string EncodePgm(const GreyPicture& grey) {
  std::string file = "P5\n" + std::to_string(grey.width) + " " + std::to_string(grey.height) + "\n255\n";
  return file.append(grey.pixels.begin(), grey.pixels.end());
}

std::string EncodePngWithAlpha(uint32_t rgb, const GreyPicture& alpha) {
  const PixPtr pix(pixCreate(alpha.width, alpha.height, 32));
  pixSetSpp(pix.get(), 4);
  for (int y = 0; y < alpha.height; ++y) {
    for (int x = 0; x < alpha.width; ++x) pixSetPixel(pix.get(), x, y, rgb << 8 | alpha.At(x, y));
  }
  return Written([&](l_uint8** data, size_t* size) { return pixWriteMemPng(data, size, pix.get(), 0); });
}

}  // namespace digit::testing
