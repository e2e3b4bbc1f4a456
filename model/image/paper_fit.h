// How bright the paper is at every pixel of a photo, ink or not.
#pragma once

#include "model/image/grey_picture.h"

namespace digit {

// A quadratic surface through the grey levels of `light` (0 black ... 255 white) with the least sum of absolute
// differences, which ink on less than half of the picture hardly moves: follows a lamp at one side or a vignette, not
// the edge of a shadow. Same size as `light`. Under 0.2 ms for the fit, plus 1 ns a pixel.
GreyPicture FitPaper(const GreyPicture& light);

}  // namespace digit
