// Tells ink from paper.
#pragma once

#include "absl/status/statusor.h"
#include "model/image/grey_picture.h"

namespace digit {

// From grey levels (0 black ... 255 white) to ink (0 paper ... 255 full stroke), same size. Dark strokes on light
// ground or the other way round, uneven light, grain: the rarer side of the paper's brightness is the ink, what does
// not stand out from the grain is paper, and a stroke of usual darkness becomes 255. On a clean picture the grey
// levels of stroke edges are kept in proportion. NOT_FOUND when nothing stands out (a blank page).
absl::StatusOr<GreyPicture> FindInk(const GreyPicture& light);

// Whether most pixels on the picture's border are lighter than middle grey.
bool HasBrightBorder(const GreyPicture& light);

// The difference between the lightest and the darkest pixel below which a picture is blank.
inline constexpr int kLeastContrast = 20;  // grey levels; pencil has 40 and more, paper texture in photos 5-10

}  // namespace digit
