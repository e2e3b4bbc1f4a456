// Plain pixel planes that the steps of model/image hand to each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace digit {

// One byte a pixel, row-major, no padding.
struct GreyPicture {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> pixels;  // width * height; meaning (light or ink) is said where it is used

  uint8_t At(int x, int y) const { return pixels[static_cast<size_t>(y) * width + x]; }
  const uint8_t* Row(int y) const { return pixels.data() + static_cast<size_t>(y) * width; }
};

// Part of a picture: columns left .. left + width - 1, rows top .. top + height - 1.
struct PixelBox {
  int left = 0;
  int top = 0;
  int width = 0;
  int height = 0;
};

}  // namespace digit
