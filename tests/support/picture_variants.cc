#include "tests/support/picture_variants.h"

#include <algorithm>
#include <cmath>

#include "model/spec/model_spec.h"

namespace digit::testing {
namespace {

GreyPicture Filled(int width, int height, uint8_t level) {
  return {width, height, std::vector<uint8_t>(static_cast<size_t>(width) * height, level)};
}

uint8_t& PixelOf(GreyPicture& picture, int x, int y) {
  return picture.pixels[static_cast<size_t>(y) * picture.width + x];
}

uint8_t ToLevel(double value) { return static_cast<uint8_t>(std::clamp(value, 0.0, 255.0) + 0.5); }

// Nearly normal, mean 0, deviation 1: the sum of the four bytes of a random number. A tenth of the cost of a normal
// one.
double Noise(std::mt19937& random) {
  constexpr double kDeviation = 147.8;  // sqrt(4 * (256 * 256 - 1) / 12)
  const auto bits = static_cast<uint32_t>(random());
  return ((bits & 255) + (bits >> 8 & 255) + (bits >> 16 & 255) + (bits >> 24) - 510.0) / kDeviation;
}

// Between which two pixels of the small picture a pixel of the enlarged one lies.
struct Between {
  int before, after;
  double part;  // of the way
};

std::vector<Between> PlacesOf(int size, int factor) {
  std::vector<Between> places;
  for (int i = 0; i < size * factor; ++i) {
    const double at = (i + 0.5) / factor - 0.5;
    const int before = static_cast<int>(std::floor(at));
    places.push_back({std::max(before, 0), std::min(before + 1, size - 1), at - before});
  }
  return places;
}

}  // namespace

GreyPicture PictureOf(absl::Span<const uint8_t> digit) {
  return {kImageSide, kImageSide, std::vector<uint8_t>(digit.begin(), digit.end())};
}

GreyPicture EnlargeNearest(const GreyPicture& picture, int factor) {
  GreyPicture result = Filled(picture.width * factor, picture.height * factor, 0);
  for (int y = 0; y < result.height; ++y) {
    for (int x = 0; x < result.width; ++x) PixelOf(result, x, y) = picture.At(x / factor, y / factor);
  }
  return result;
}

GreyPicture EnlargeSmooth(const GreyPicture& picture, int factor) {
  GreyPicture result = Filled(picture.width * factor, picture.height * factor, 0);
  const std::vector<Between> columns = PlacesOf(picture.width, factor), rows = PlacesOf(picture.height, factor);
  for (int y = 0; y < result.height; ++y) {
    const auto [top, bottom, down] = rows[y];
    for (int x = 0; x < result.width; ++x) {
      const auto [left, right, across] = columns[x];
      const double above = picture.At(left, top) + across * (picture.At(right, top) - picture.At(left, top));
      const double below = picture.At(left, bottom) + across * (picture.At(right, bottom) - picture.At(left, bottom));
      PixelOf(result, x, y) = ToLevel(above + down * (below - above));
    }
  }
  return result;
}

GreyPicture Invert(GreyPicture picture) {
  for (uint8_t& pixel : picture.pixels) pixel = static_cast<uint8_t>(255 - pixel);
  return picture;
}

GreyPicture MoveOnCanvas(const GreyPicture& picture, uint8_t ground, std::mt19937& random) {
  GreyPicture canvas = Filled(picture.width * 2, picture.height * 2, ground);
  const int left = static_cast<int>(random() % static_cast<uint32_t>(picture.width + 1));
  const int top = static_cast<int>(random() % static_cast<uint32_t>(picture.height + 1));
  for (int y = 0; y < picture.height; ++y) {
    for (int x = 0; x < picture.width; ++x) PixelOf(canvas, left + x, top + y) = picture.At(x, y);
  }
  return canvas;
}

GreyPicture PutOnPaper(const GreyPicture& picture, const Paper& paper, std::mt19937& random) {
  constexpr double kTurn = 6.283185307179586;
  const double angle = kTurn * random() / 4294967296.0;
  const double across = paper.slope * std::cos(angle), down = paper.slope * std::sin(angle);
  GreyPicture photo = Filled(picture.width, picture.height, 0);
  for (int y = 0; y < picture.height; ++y) {
    for (int x = 0; x < picture.width; ++x) {
      const double u = 2.0 * x / picture.width - 1, v = 2.0 * y / picture.height - 1;
      const double light = paper.brightness + across * u + down * v;
      const double ink = picture.At(x, y) / 255.0;
      PixelOf(photo, x, y) = ToLevel(light * (1 - ink * (1 - paper.ink)) + paper.grain * Noise(random));
    }
  }
  return photo;
}

}  // namespace digit::testing
