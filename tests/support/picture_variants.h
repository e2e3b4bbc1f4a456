// What becomes of a 28x28 digit before a user sends it: enlarged, turned round, on paper, photographed.
#pragma once

#include <cstdint>
#include <random>
#include <string>

#include "absl/types/span.h"
#include "model/image/grey_picture.h"

namespace digit::testing {

// A digit of kImagePixels bytes, white on black.
GreyPicture PictureOf(absl::Span<const uint8_t> digit);

// Every pixel becomes a square.
GreyPicture EnlargeNearest(const GreyPicture& picture, int factor);
// Bilinear.
GreyPicture EnlargeSmooth(const GreyPicture& picture, int factor);

GreyPicture Invert(GreyPicture picture);

// At a random place on a canvas of twice the side, filled with `ground`.
GreyPicture MoveOnCanvas(const GreyPicture& picture, uint8_t ground, std::mt19937& random);

struct Paper {
  double brightness = 205;  // of the paper in the middle of the picture, 0..255
  double slope = 45;        // how much brighter or darker it is at the edge, in a random direction
  double ink = 0.25;        // how much of the light full ink throws back
  double grain = 4;         // standard deviation of the noise, grey levels
};
// White-on-black `picture` as dark ink on paper under a lamp at one side.
GreyPicture PutOnPaper(const GreyPicture& picture, const Paper& paper, std::mt19937& random);

}  // namespace digit::testing
