// How digits, and signs that are no digits, are written: tables of pen strokes.
#pragma once

#include <vector>

#include "model/dataset/strokes.h"

namespace digit {

// The ways to write `digit`, 0..9: with and without foot, bar, loop, open and closed.
const std::vector<Glyph>& DigitGlyphs(int digit);

// Letters and marks that do not read as a digit.
const std::vector<Glyph>& OtherGlyphs();

}  // namespace digit
