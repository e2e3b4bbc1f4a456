// Finds the strokes of the digit among specks, grain and the edges of the paper.
#pragma once

#include "absl/status/statusor.h"
#include "model/image/grey_picture.h"

namespace digit {

// Clears from `ink` (0 paper ... 255 ink) every connected piece that is no part of a digit: faint ones, ones that are
// tiny beside the largest, and ones that run out of the picture when another does not. Returns the smallest box around
// what is left; NOT_FOUND when that is nothing or a dot. About 5 ns a pixel.
absl::StatusOr<PixelBox> KeepDigit(GreyPicture& ink);

}  // namespace digit
