// Image files made in tests.
#pragma once

#include <cstdint>
#include <string>

#include "model/image/grey_picture.h"

namespace digit::testing {

std::string EncodePng(const GreyPicture& grey);
// `quality` 1..100.
std::string EncodeJpeg(const GreyPicture& grey, int quality, bool progressive = false);
std::string EncodeBmp(const GreyPicture& grey);
std::string EncodeGif(const GreyPicture& grey);
// Lossless.
std::string EncodeWebP(const GreyPicture& grey);
// Binary ("P5"): no compression, so that tests of thousands of pictures are quick.
std::string EncodePgm(const GreyPicture& grey);

// 32 bits a pixel: `rgb` (0xRRGGBB) everywhere and `alpha` as given.
std::string EncodePngWithAlpha(uint32_t rgb, const GreyPicture& alpha);

}  // namespace digit::testing
