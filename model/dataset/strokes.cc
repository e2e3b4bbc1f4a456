#include "model/dataset/strokes.h"

#include <algorithm>
#include <cmath>

#include "absl/types/span.h"

namespace digit {
namespace {

constexpr int kBoxSide = 20;      // MNIST's box for the writing
constexpr int kOversampling = 3;  // raster pixels per box pixel and axis, each anti-aliased by itself
constexpr int kRasterSide = kBoxSide * kOversampling;
constexpr int kSegmentsPerKnot = 8;
using Raster = std::array<double, kRasterSide * kRasterSide>;  // 0..1
using Box = std::array<double, kBoxSide * kBoxSide>;

struct Point {
  double x = 0, y = 0;
};
using Polyline = std::vector<Point>;

// The smooth curve through `knots`: uniform Catmull-Rom, the ends doubled.
void AppendCurve(absl::Span<const Knot> knots, Polyline& line) {
  for (size_t i = 0; i + 1 < knots.size(); ++i) {
    const Knot& a = knots[i == 0 ? 0 : i - 1];
    const Knot& b = knots[i];
    const Knot& c = knots[i + 1];
    const Knot& d = knots[std::min(i + 2, knots.size() - 1)];
    const auto at = [](double a, double b, double c, double d, double t) {
      return b + 0.5 * t * ((c - a) + t * ((2 * a - 5 * b + 4 * c - d) + t * (3 * (b - c) + d - a)));
    };
    for (int step = 1; step <= kSegmentsPerKnot; ++step) {
      const double t = static_cast<double>(step) / kSegmentsPerKnot;
      line.push_back({at(a.x, b.x, c.x, d.x, t), at(a.y, b.y, c.y, d.y, t)});
    }
  }
}

Polyline Flatten(const Stroke& stroke) {
  Polyline line;
  if (stroke.empty()) return line;
  line.push_back({stroke[0].x, stroke[0].y});
  size_t start = 0;
  for (size_t i = 1; i < stroke.size(); ++i) {
    if (!stroke[i].corner && i + 1 < stroke.size()) continue;
    AppendCurve(absl::MakeConstSpan(stroke).subspan(start, i - start + 1), line);
    start = i;
  }
  return line;
}

void Lean(const Hand& hand, Polyline& line) {
  const double cosine = 1 / std::sqrt(1 + hand.rotation * hand.rotation);
  const double sine = hand.rotation * cosine;
  for (Point& p : line) {
    const double x = (p.x - 50) * hand.width + (50 - p.y) * hand.slant;
    const double y = p.y - 50;
    p = {x * cosine - y * sine, x * sine + y * cosine};
  }
}

// Scales all lines together so that the writing, pen included, just fills the raster, centred.
void FitToRaster(double radius, std::vector<Polyline>& lines) {
  double left = 1e9, right = -1e9, top = 1e9, bottom = -1e9;
  for (const Polyline& line : lines) {
    for (const Point& p : line) {
      left = std::min(left, p.x);
      right = std::max(right, p.x);
      top = std::min(top, p.y);
      bottom = std::max(bottom, p.y);
    }
  }
  const double side = std::max({right - left, bottom - top, 1.0});  // a lone dot must not be blown up
  const double scale = (kRasterSide - 2 * radius) / side;
  for (Polyline& line : lines) {
    for (Point& p : line) {
      p.x = (p.x - 0.5 * (left + right)) * scale + 0.5 * kRasterSide;
      p.y = (p.y - 0.5 * (top + bottom)) * scale + 0.5 * kRasterSide;
    }
  }
}

// Inks every pixel within `radius` of the segment; the rim fades over one raster pixel.
void InkSegment(Point a, Point b, double radius, Raster& raster) {
  const auto first = [radius](double u, double v) {
    return std::clamp(static_cast<int>(std::floor(std::min(u, v) - radius - 1)), 0, kRasterSide - 1);
  };
  const auto last = [radius](double u, double v) {
    return std::clamp(static_cast<int>(std::ceil(std::max(u, v) + radius + 1)), 0, kRasterSide - 1);
  };
  const double dx = b.x - a.x, dy = b.y - a.y;
  const double length_squared = dx * dx + dy * dy;
  for (int row = first(a.y, b.y); row <= last(a.y, b.y); ++row) {
    for (int column = first(a.x, b.x); column <= last(a.x, b.x); ++column) {
      const double px = column + 0.5 - a.x, py = row + 0.5 - a.y;
      const double along = length_squared > 0 ? std::clamp((px * dx + py * dy) / length_squared, 0.0, 1.0) : 0;
      const double ex = px - along * dx, ey = py - along * dy;
      const double ink = std::clamp(radius + 0.5 - std::sqrt(ex * ex + ey * ey), 0.0, 1.0);
      double& pixel = raster[row * kRasterSide + column];
      pixel = std::max(pixel, ink);
    }
  }
}

void InkLine(const Polyline& line, double radius, double taper, Raster& raster) {
  if (line.empty()) return;
  if (line.size() == 1) InkSegment(line[0], line[0], radius, raster);
  const double segments = static_cast<double>(line.size() - 1);
  for (size_t i = 0; i + 1 < line.size(); ++i) {
    const double progress = static_cast<double>(i) / segments - 0.5;  // -0.5..0.5
    InkSegment(line[i], line[i + 1], radius * (1 + taper * progress), raster);
  }
}

Box AverageToBox(const Raster& raster) {
  Box box = {};
  for (int row = 0; row < kRasterSide; ++row) {
    for (int column = 0; column < kRasterSide; ++column) {
      box[row / kOversampling * kBoxSide + column / kOversampling] += raster[row * kRasterSide + column];
    }
  }
  const double brightest = *std::max_element(box.begin(), box.end());
  for (double& pixel : box) pixel = brightest > 0 ? pixel * 255 / brightest : 0;
  return box;
}

// Recipe of facebookresearch/qmnist (xnist.lsh): the box is pasted at floor(14.5 - centre of mass) on each axis.
FramedPixels PasteByCentreOfMass(const Box& box) {
  double sum = 0, sum_x = 0, sum_y = 0;
  for (int row = 0; row < kBoxSide; ++row) {
    for (int column = 0; column < kBoxSide; ++column) {
      const double ink = box[row * kBoxSide + column];
      sum += ink;
      sum_x += ink * column;
      sum_y += ink * row;
    }
  }
  FramedPixels framed = {};
  if (sum <= 0) return framed;
  const int left = static_cast<int>(std::floor(14.5 - sum_x / sum));
  const int top = static_cast<int>(std::floor(14.5 - sum_y / sum));
  for (int row = 0; row < kBoxSide; ++row) {
    for (int column = 0; column < kBoxSide; ++column) {
      const int x = left + column, y = top + row;
      if (x < 0 || x >= kImageSide || y < 0 || y >= kImageSide) continue;
      framed[y * kImageSide + x] = static_cast<uint8_t>(box[row * kBoxSide + column] + 0.5);
    }
  }
  return framed;
}

}  // namespace

Hand RandomHand(Random& random) {
  Hand hand;
  hand.width = random.Uniform(0.75, 1.15);
  hand.slant = 0.15 + 0.15 * random.Bell();
  hand.rotation = 0.06 * random.Bell();
  hand.radius = std::max(0.7, 1.25 + 0.3 * random.Bell());
  hand.taper = random.Uniform(-0.3, 0.3);
  return hand;
}

Glyph Jittered(const Glyph& glyph, double units, Random& random) {
  Glyph moved = glyph;
  for (Stroke& stroke : moved) {
    for (Knot& knot : stroke) {
      knot.x += units * random.Bell();
      knot.y += units * random.Bell();
    }
  }
  return moved;
}

FramedPixels DrawGlyph(const Glyph& glyph, const Hand& hand) {
  const double radius = hand.radius * kOversampling;
  std::vector<Polyline> lines;
  for (const Stroke& stroke : glyph) {
    lines.push_back(Flatten(stroke));
    Lean(hand, lines.back());
  }
  FitToRaster(radius, lines);
  Raster raster = {};
  for (const Polyline& line : lines) InkLine(line, radius, hand.taper, raster);
  return PasteByCentreOfMass(AverageToBox(raster));
}

}  // namespace digit
