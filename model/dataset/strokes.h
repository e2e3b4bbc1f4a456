// Pen strokes to a framed 28x28 picture. Exact arithmetic only (see digit_generator.h): the same bytes everywhere.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "model/dataset/random.h"
#include "model/spec/model_spec.h"

namespace digit {

using FramedPixels = std::array<uint8_t, kImagePixels>;

// One point the pen goes through. A sign is some 100 units high and wide; y grows downwards.
struct Knot {
  double x = 0, y = 0;
  bool corner = false;  // the pen turns sharply here; elsewhere the line is a smooth (Catmull-Rom) curve
};
using Stroke = std::vector<Knot>;  // one knot draws a dot
using Glyph = std::vector<Stroke>;

// How a sign is written.
struct Hand {
  double width = 1;     // of the sign, 1 = as in the table
  double slant = 0;     // the top moves to the right by slant * height
  double rotation = 0;  // tangent of the angle
  double radius = 1.3;  // of the pen in pixels of the 20x20 box, 0.3..9
  double taper = 0;     // the pen's radius changes by this share from a stroke's start to its end, -0.5..0.5
};

// A hand of the kind seen in MNIST: mostly upright or leaning to the right.
Hand RandomHand(Random& random);

// Moves every knot by a bell-shaped amount of deviation `units`.
Glyph Jittered(const Glyph& glyph, double units, Random& random);

// Written by `hand`, then framed as MNIST is: the writing's square box is averaged into 20x20 pixels, grey is stretched
// to 255, and the centre of mass goes to the centre of 28x28. `glyph` holds at least one knot.
FramedPixels DrawGlyph(const Glyph& glyph, const Hand& hand);

}  // namespace digit
