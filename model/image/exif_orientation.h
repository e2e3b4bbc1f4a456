// How a camera was held, from a JPEG file's EXIF block.
#pragma once

#include "absl/strings/string_view.h"
#include "model/image/grey_picture.h"

namespace digit {

// The EXIF orientation, 1..8 (CIPA DC-008, tag 0x0112); 1 (upright) when there is none or it is damaged. Reads no
// further than the first scan; every offset in the file is checked.
int JpegOrientation(absl::string_view jpeg);

// The picture as it is meant to be seen. `orientation` in 1..8.
GreyPicture ApplyOrientation(GreyPicture picture, int orientation);

}  // namespace digit
