// Pictures that are anything but one digit.
#pragma once

#include "model/dataset/random.h"
#include "model/dataset/strokes.h"

namespace digit {

// One of the kinds of non_digits.cc, each equally often.
FramedPixels DrawNonDigitPicture(Random& random);

}  // namespace digit
