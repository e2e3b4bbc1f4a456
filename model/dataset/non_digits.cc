#include "model/dataset/non_digits.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "model/dataset/glyphs.h"

namespace digit {
namespace {

Knot RandomKnot(Random& random) {
  Knot knot;
  knot.x = random.Uniform(0, 100);
  knot.y = random.Uniform(0, 100);
  knot.corner = random.UniformInt(0, 3) == 0;
  return knot;
}

Stroke RandomStroke(int knots, Random& random) {
  Stroke stroke;
  for (int i = 0; i < knots; ++i) stroke.push_back(RandomKnot(random));
  return stroke;
}

const Glyph& AnyOf(const std::vector<Glyph>& glyphs, Random& random) {
  return glyphs[random.UniformInt(0, static_cast<int>(glyphs.size()) - 1)];
}

uint8_t ToByte(double value) { return static_cast<uint8_t>(std::clamp(value, 0.0, 255.0) + 0.5); }

FramedPixels Scribble(Random& random) {
  const int knots = random.UniformInt(7, 18);
  const Stroke stroke = RandomStroke(knots, random);
  return DrawGlyph({stroke}, RandomHand(random));
}

FramedPixels OtherSign(Random& random) {
  const Glyph glyph = Jittered(AnyOf(OtherGlyphs(), random), 3, random);
  return DrawGlyph(glyph, RandomHand(random));
}

// A filled shape: a few short strokes of a very thick pen.
FramedPixels Blob(Random& random) {
  Glyph glyph(random.UniformInt(1, 3));
  for (Stroke& stroke : glyph) {
    const int knots = random.UniformInt(1, 4);
    stroke = RandomStroke(knots, random);
  }
  Hand hand;
  hand.radius = random.Uniform(4, 8);
  return DrawGlyph(glyph, hand);
}

// Bars or a grid; at least four lines.
FramedPixels Grid(Random& random) {
  const int columns = random.UniformInt(0, 1) == 0 ? 0 : random.UniformInt(2, 5);
  const int rows = columns == 0 ? random.UniformInt(4, 6) : random.UniformInt(2, 5);
  Glyph glyph;
  for (int i = 0; i < columns; ++i) {
    const double x = 100.0 * (i + 0.5) / columns;
    glyph.push_back({{x, 0}, {x, 100}});
  }
  for (int i = 0; i < rows; ++i) {
    const double y = 100.0 * (i + 0.5) / rows;
    glyph.push_back({{0, y}, {100, y}});
  }
  if (random.UniformInt(0, 1) == 0) {
    for (Stroke& stroke : glyph) {
      for (Knot& knot : stroke) std::swap(knot.x, knot.y);
    }
  }
  Hand hand = RandomHand(random);
  hand.radius = random.Uniform(0.5, 1.2);
  return DrawGlyph(Jittered(glyph, 2, random), hand);
}

FramedPixels SeveralDigits(Random& random) {
  const int count = random.UniformInt(2, 4);
  Glyph line;
  for (int i = 0; i < count; ++i) {
    const int digit = random.UniformInt(0, 9);
    const Glyph glyph = Jittered(AnyOf(DigitGlyphs(digit), random), 3, random);
    for (Stroke stroke : glyph) {
      for (Knot& knot : stroke) knot.x += 95 * i;
      line.push_back(std::move(stroke));
    }
  }
  Hand hand = RandomHand(random);
  hand.radius = random.Uniform(0.5, 1.0);
  return DrawGlyph(line, hand);
}

FramedPixels OneDigit(int digit, Random& random) {
  const Glyph glyph = Jittered(AnyOf(DigitGlyphs(digit), random), 3, random);
  return DrawGlyph(glyph, RandomHand(random));
}

// A digit cut by the picture's edge: a quarter of it, enlarged, as a wrong crop would show it. Not of 1, 4 and 7, whose
// parts may well be a 1.
FramedPixels CutDigit(Random& random) {
  constexpr int kDigits[] = {0, 2, 3, 5, 6, 8, 9};
  const int digit = kDigits[random.UniformInt(0, 6)];
  const FramedPixels whole = OneDigit(digit, random);
  const double zoom = random.Uniform(2.0, 2.8);
  const double left = random.UniformInt(0, 1) == 0 ? 3 : kImageSide - 3 - kImageSide / zoom;
  const double top = random.UniformInt(0, 1) == 0 ? 3 : kImageSide - 3 - kImageSide / zoom;
  FramedPixels cut = {};
  for (int row = 0; row < kImageSide; ++row) {
    for (int column = 0; column < kImageSide; ++column) {
      // Bilinear; both coordinates stay within 0..27 because left, top >= 3 and the view ends 3 pixels before the edge.
      const double x = left + column / zoom, y = top + row / zoom;
      const int x0 = static_cast<int>(x), y0 = static_cast<int>(y);
      const double fx = x - x0, fy = y - y0;
      const auto at = [&whole, x0, y0](int dx, int dy) -> double { return whole[(y0 + dy) * kImageSide + x0 + dx]; };
      cut[row * kImageSide + column] =
          ToByte((at(0, 0) * (1 - fx) + at(1, 0) * fx) * (1 - fy) + (at(0, 1) * (1 - fx) + at(1, 1) * fx) * fy);
    }
  }
  return cut;
}

FramedPixels InvertedDigit(Random& random) {
  const int digit = random.UniformInt(0, 9);
  FramedPixels picture = OneDigit(digit, random);
  for (uint8_t& pixel : picture) pixel = static_cast<uint8_t>(255 - pixel);
  return picture;
}

// White noise, dense or sparse.
FramedPixels Noise(Random& random) {
  const double share = random.UniformInt(0, 1) == 0 ? 1.0 : random.Uniform(0.05, 0.5);
  FramedPixels picture = {};
  for (uint8_t& pixel : picture) {
    const double value = random.Uniform(0, 255);
    if (random.Uniform(0, 1) < share) pixel = ToByte(value);
  }
  return picture;
}

// Light and shade as in a photograph: a coarse lattice of greys, blended; two cells a side are a plain gradient.
FramedPixels Shades(Random& random) {
  constexpr int kMaxCells = 6;
  const int cells = random.UniformInt(1, kMaxCells);
  double lattice[kMaxCells + 1][kMaxCells + 1];
  for (auto& row : lattice) {
    for (double& value : row) value = random.Uniform(-40, 295);
  }
  FramedPixels picture = {};
  for (int row = 0; row < kImageSide; ++row) {
    for (int column = 0; column < kImageSide; ++column) {
      const double x = (column + 0.5) * cells / kImageSide, y = (row + 0.5) * cells / kImageSide;
      const int i = static_cast<int>(y), j = static_cast<int>(x);
      const double fx = x - j, fy = y - i;
      const double above = lattice[i][j] * (1 - fx) + lattice[i][j + 1] * fx;
      const double below = lattice[i + 1][j] * (1 - fx) + lattice[i + 1][j + 1] * fx;
      picture[row * kImageSide + column] = ToByte(above * (1 - fy) + below * fy);
    }
  }
  return picture;
}

// Stripes or a chequered field over the whole picture.
FramedPixels Pattern(Random& random) {
  const int period = random.UniformInt(2, 8);
  const int kind = random.UniformInt(0, 3);
  const int phase = random.UniformInt(0, period - 1);
  FramedPixels picture = {};
  for (int row = 0; row < kImageSide; ++row) {
    for (int column = 0; column < kImageSide; ++column) {
      const int a = (row + phase) / period, b = (column + phase) / period, d = (row + column + phase) / period;
      const int cell = kind == 0 ? a : kind == 1 ? b : kind == 2 ? a + b : d;
      picture[row * kImageSide + column] = cell % 2 == 0 ? 255 : 0;
    }
  }
  return picture;
}

constexpr NonDigitKind kKinds[] = {{"scribble", &Scribble},
                                   {"other sign", &OtherSign},
                                   {"blob", &Blob},
                                   {"grid", &Grid},
                                   {"several digits", &SeveralDigits},
                                   {"cut digit", &CutDigit},
                                   {"inverted digit", &InvertedDigit},
                                   {"noise", &Noise},
                                   {"shades", &Shades},
                                   {"pattern", &Pattern}};

}  // namespace

absl::Span<const NonDigitKind> NonDigitKinds() { return kKinds; }

FramedPixels DrawNonDigitPicture(Random& random) {
  return kKinds[random.UniformInt(0, static_cast<int>(std::size(kKinds)) - 1)].draw(random);
}

}  // namespace digit
