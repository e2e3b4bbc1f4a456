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

uint8_t ToLevel(double value) { return static_cast<uint8_t>(std::clamp(std::lround(value), 0L, 255L)); }

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
  const auto at = [&](int x, int y) {
    return static_cast<double>(picture.At(std::clamp(x, 0, picture.width - 1), std::clamp(y, 0, picture.height - 1)));
  };
  for (int y = 0; y < result.height; ++y) {
    const double v = (y + 0.5) / factor - 0.5;
    const int v0 = static_cast<int>(std::floor(v));
    for (int x = 0; x < result.width; ++x) {
      const double u = (x + 0.5) / factor - 0.5;
      const int u0 = static_cast<int>(std::floor(u));
      const double above = at(u0, v0) + (u - u0) * (at(u0 + 1, v0) - at(u0, v0));
      const double below = at(u0, v0 + 1) + (u - u0) * (at(u0 + 1, v0 + 1) - at(u0, v0 + 1));
      PixelOf(result, x, y) = ToLevel(above + (v - v0) * (below - above));
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
  std::normal_distribution<double> grain(0, paper.grain);
  GreyPicture photo = Filled(picture.width, picture.height, 0);
  for (int y = 0; y < picture.height; ++y) {
    for (int x = 0; x < picture.width; ++x) {
      const double u = 2.0 * x / picture.width - 1, v = 2.0 * y / picture.height - 1;
      const double light = paper.brightness + paper.slope * (u * std::cos(angle) + v * std::sin(angle));
      const double ink = picture.At(x, y) / 255.0;
      PixelOf(photo, x, y) = ToLevel(light * (1 - ink * (1 - paper.ink)) + grain(random));
    }
  }
  return photo;
}

}  // namespace digit::testing
