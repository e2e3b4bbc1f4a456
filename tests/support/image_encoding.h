// Image files made in tests.
#pragma once

#include <cstdint>
#include <string>

#include "model/image/grey_picture.h"

namespace digit::testing {

std::string EncodePng(const GreyPicture& grey);
// A PNG file without what is not needed: its chunks are IHDR, IDAT and IEND, as most programs write MNIST's pictures.
std::string OnlyNeededChunks(const std::string& png);

enum class PngKind { kGrey1, kGrey16, kPalette, kRgb, kRgba };
// The same picture stored in another way; kGrey1 keeps only what is darker than 128 or not.
std::string EncodePngAs(PngKind kind, const GreyPicture& grey);
// `quality` 1..100.
std::string EncodeJpeg(const GreyPicture& grey, int quality, bool progressive = false);
// Three components, one of them `tint` levels away from grey.
std::string EncodeColorJpeg(const GreyPicture& grey, int quality, int tint);
// A JPEG, PNG or WebP file with an EXIF block that says how the camera was held; `big_endian` as Canon writes it.
std::string WithExifOrientation(const std::string& file, int orientation, bool big_endian);
std::string EncodeBmp(const GreyPicture& grey);
std::string EncodeGif(const GreyPicture& grey);
// Lossless.
std::string EncodeWebP(const GreyPicture& grey);
// Binary ("P5"): no compression, so that tests of thousands of pictures are quick.
std::string EncodePgm(const GreyPicture& grey);
// In words ("P2").
std::string EncodeAsciiPgm(const GreyPicture& grey);

// 32 bits a pixel: `rgb` (0xRRGGBB) everywhere and `alpha` as given.
std::string EncodePngWithAlpha(uint32_t rgb, const GreyPicture& alpha);

}  // namespace digit::testing
