// Seeded numbers for tests of kernels.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

namespace digit {

// -1..1 in steps of 1/1000; `zeros` of ten are 0.
inline std::vector<float> RandomValues(uint32_t seed, size_t count, uint32_t zeros = 0) {
  std::mt19937 random(seed);
  std::vector<float> values(count);
  for (float& value : values) {
    const bool zero = random() % 10 < zeros;
    value = zero ? 0.0f : static_cast<float>(static_cast<int>(random() % 2001) - 1000) / 1000;
  }
  return values;
}

}  // namespace digit
