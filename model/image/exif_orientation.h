// How a camera was held, from the EXIF block of a JPEG, PNG or WebP file.
#pragma once

#include "absl/strings/string_view.h"
#include "model/image/grey_picture.h"

namespace digit {

// The EXIF orientation, 1..8 (CIPA DC-008, tag 0x0112); 1 (upright) when there is none or it is damaged. Reads no
// further than a JPEG's first scan; else from chunk to chunk, each at least 8 bytes long, until there is one. Every
// offset in the file is checked.
int JpegOrientation(absl::string_view jpeg);
int PngOrientation(absl::string_view png);    // chunk eXIf, PNG 1.5 extensions
int WebPOrientation(absl::string_view webp);  // chunk "EXIF", RFC 9649

// The picture as it is meant to be seen. `orientation` in 1..8.
GreyPicture ApplyOrientation(GreyPicture picture, int orientation);

}  // namespace digit
