// Random small deformations of training pictures: rotation, scale, shear, shift and an elastic warp.
#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "model/training/random_stream.h"

namespace digit {

// Every amount is drawn uniformly from -x .. x (scale: 1 - x .. 1 + x), apart for each picture.
struct Augmentation {
  float rotation_degrees = 12;
  float scale = 0.12f;
  float shear = 0.15f;
  float shift_pixels = 2;
  // Largest displacement of the control points of a smooth warp (a quadratic B-spline on a grid of 4 pixels), after
  // Simard, Steinkraus, Platt 2003, "Best practices for convolutional neural networks applied to visual document
  // analysis".
  float warp_pixels = 0;
};

// Where the deformed picture's (x, y) lies in the original, both counted from the picture's centre:
// (xx * x + xy * y + dx, yx * x + yy * y + dy).
struct Affine {
  float xx, xy, yx, yy, dx, dy;
};

// All of the deformation but the warp; the first that Augment() takes from `random`.
Affine DrawAffine(const Augmentation& augmentation, RandomStream* random);

// `pixels`: kImagePixels bytes; `input`: the network's corner of the deformed picture, kInputSize floats in 0..1
// (bilinear; outside is paper). About 5 us.
void Augment(const Augmentation& augmentation, absl::Span<const uint8_t> pixels, RandomStream random, float* input);

// The same without any change: pixels / 255.
void CropInput(absl::Span<const uint8_t> pixels, float* input);

}  // namespace digit
