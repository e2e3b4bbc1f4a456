// The 28x28 picture that the model saw, as text.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace digit {

inline constexpr int kPictureSide = 28;

// `pixels`: kPictureSide * kPictureSide bytes, row-major, 0 paper to 255 ink; of another size nothing is drawn (""). 16
// lines in a frame, each of two pixel rows, since a character is about twice as high as wide. With `unicode` half
// blocks: in `color` as 24 greys (xterm's 256-colour ramp, which terminals agree on), else ink from half grey on.
// Without it ASCII, from ' ' to '@' by the mean of the two pixels, never coloured.
std::string DrawPicture(absl::string_view pixels, bool unicode, bool color);

}  // namespace digit
