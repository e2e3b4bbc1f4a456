#include "model/image/mnist_framing.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "model/image/area_scale.h"

namespace digit {
namespace {

constexpr int kBoxSide = 20;
constexpr int kLeastSide = 10;  // source pixels; smaller digits stay smaller than the box

AxisMap PlaceInBox(int begin, int length, double step) {
  const double margin = std::floor((kBoxSide - length / step) / 2 + 1e-6);  // whole output pixels
  return {begin - margin * step, step};
}

// Where the box goes on one axis, given its ink's centre of mass there (the middle of pixel i is i).
int Offset(double centroid) {
  return std::clamp(static_cast<int>(std::floor(14.5 - centroid)), 0, kImageSide - kBoxSide);
}

}  // namespace

std::array<uint8_t, kImagePixels> FrameAsMnist(const GreyPicture& ink, const PixelBox& box) {
  const double step = static_cast<double>(std::max({box.width, box.height, kLeastSide})) / kBoxSide;
  const std::vector<float> scaled = ScaleByArea(ink, box, PlaceInBox(box.left, box.width, step), kBoxSide,
                                                PlaceInBox(box.top, box.height, step), kBoxSide);
  const float darkest = *std::max_element(scaled.begin(), scaled.end());
  std::array<uint8_t, kBoxSide * kBoxSide> digit;
  double mass = 0, x_moment = 0, y_moment = 0;
  for (int i = 0; i < kBoxSide * kBoxSide; ++i) {
    digit[i] = static_cast<uint8_t>(std::lround(scaled[i] * 255 / darkest));
    const int x = i % kBoxSide, y = i / kBoxSide;
    mass += digit[i];
    x_moment += digit[i] * x;
    y_moment += digit[i] * y;
  }
  std::array<uint8_t, kImagePixels> framed{};
  const int left = Offset(x_moment / mass), top = Offset(y_moment / mass);
  for (int y = 0; y < kBoxSide; ++y) {
    std::copy_n(digit.begin() + y * kBoxSide, kBoxSide, framed.begin() + (top + y) * kImageSide + left);
  }
  return framed;
}

}  // namespace digit
