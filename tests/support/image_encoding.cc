#include "tests/support/image_encoding.h"

#include <leptonica/allheaders.h>

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

}  // namespace

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
