// Exact area averaging.
#pragma once

#include <vector>

#include "model/image/grey_picture.h"

namespace digit {

// Where the output pixels of one axis lie on the source: output pixel i covers origin + i * step ... + (i + 1) * step.
struct AxisMap {
  double origin = 0;
  double step = 1;  // source pixels for each output pixel, > 0; below 1 enlarges
};

// Averages `source` over `columns` x `rows` output pixels; what lies outside `box` counts as 0. The average over each
// output pixel's own area is exact, also for parts of source pixels. Row-major, 0..255.
std::vector<float> ScaleByArea(const GreyPicture& source, const PixelBox& box, AxisMap x, int columns, AxisMap y,
                               int rows);

}  // namespace digit
