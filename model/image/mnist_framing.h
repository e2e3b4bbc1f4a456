// Frames a digit the way MNIST's were.
#pragma once

#include <array>
#include <cstdint>

#include "model/image/grey_picture.h"
#include "model/spec/model_spec.h"

namespace digit {

// The recipe that QMNIST found MNIST to be made by (Yadav and Bottou 2019, "Cold Case: The Lost MNIST Digits"): a
// square of side max(width, height, 10) around the ink's box, averaged by area to 20x20, its darkest pixel stretched to
// 255, pasted into 28x28 so that the centre of mass, in whole pixels, comes to the middle. One freedom of the recipe is
// used: the shorter axis starts on a pixel's edge, so that framing a framed digit, enlarged or not, gives it back.
// `box` holds at least one pixel of ink.
std::array<uint8_t, kImagePixels> FrameAsMnist(const GreyPicture& ink, const PixelBox& box);

}  // namespace digit
