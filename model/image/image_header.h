// What kind of image file some bytes are and how large a picture they hold, without decoding it.
#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/image/image_framer.h"

namespace digit {

enum class ImageFormat { kPng, kJpeg, kBmp, kGif, kWebP, kPnm };

struct ImageHeader {
  ImageFormat format = ImageFormat::kPng;
  int width = 0;                // as stored, before orientation; >= 1. Of the first picture when the file has many.
  int height = 0;               // >= 1
  bool cmyk = false;            // JPEG only
  size_t first_image_size = 0;  // GIF only: where the first picture's data ends
  int transparent_index = -1;   // GIF only: the palette entry that is see-through, or -1
};

// INVALID_ARGUMENT, for people: not an image, a format we do not read (named), damaged, or of a kind we refuse
// (animated WebP, compressed BMP, JPEG with so many scans that decoding would take minutes). Costs microseconds.
absl::StatusOr<ImageHeader> ReadImageHeader(absl::string_view file_bytes);

// RESOURCE_EXHAUSTED names the size and the limit.
absl::Status CheckImageLimits(const ImageHeader& header, const ImageLimits& limits);

}  // namespace digit
