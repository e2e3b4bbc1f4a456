// Decodes an image file to grey levels, small enough to work on.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/image/grey_picture.h"
#include "model/image/image_header.h"

namespace digit {

// Pictures with a longer side are averaged down by a whole factor; a digit that fills a fortieth of the side still has
// 20 pixels then.
inline constexpr int kWorkingSide = 1024;

struct DecodedImage {
  GreyPicture light;       // 0 black ... 255 white, upright, no side above kWorkingSide
  bool is_grey = false;    // no pixel of the file had a colour
  bool has_alpha = false;  // some pixel was see-through; `light` then shows the picture on a fitting ground
};

// `header` is what ReadImageHeader() gave for these bytes and has passed CheckImageLimits(): nothing here bounds time
// or memory further (24 Mpx: at most 200 MB and about a second). INVALID_ARGUMENT: damaged or cut short.
absl::StatusOr<DecodedImage> DecodeImage(absl::string_view file_bytes, const ImageHeader& header);

}  // namespace digit
