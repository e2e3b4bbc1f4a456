// Digits drawn from strokes with jitter, thickness and slant, and things that are not digits. No data needed: reference
// inputs, warm-up, benchmarks and tests use it. The same seed gives the same bytes on every machine and build: only
// integer and IEEE-exact arithmetic (+ - * / sqrt), an own random generator, no libm functions that differ by version.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "model/dataset/idx.h"
#include "model/dataset/random.h"
#include "model/spec/model_spec.h"

namespace digit {

class DigitGenerator {
 public:
  using Pixels = std::array<uint8_t, kImagePixels>;  // framed as MNIST is: 20x20 box, centre of mass at the centre

  explicit DigitGenerator(uint64_t seed);

  // A digit 0..9 in a random hand.
  Pixels Draw(int digit);
  // Scribbles, letters-like strokes, grids, noise, filled shapes, several digits at once: anything but one digit.
  Pixels DrawNonDigit();
  // `count` digits, labels 0,1,...,9,0,1,...
  LabeledImages DrawMany(int count);
  // `count` pictures that are no digits, kImagePixels bytes each.
  std::vector<uint8_t> DrawManyNonDigits(int count);

 private:
  Random random_;
};

}  // namespace digit
