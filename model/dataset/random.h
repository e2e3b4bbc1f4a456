// A small random generator that gives the same numbers everywhere; the standard library's distributions do not.
// Never call it twice in one expression: the order of function arguments is the compiler's choice.
#pragma once

#include <cstdint>

namespace digit {

// SplitMix64: Steele, Lea, Flood 2014, "Fast Splittable Pseudorandom Number Generators", figure 17. Not for secrets.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // Uniform in [low, high), exact to 53 bits.
  double Uniform(double low, double high) { return low + (high - low) * (static_cast<double>(Next() >> 11) * 0x1p-53); }
  // Uniform in low..high, both included; high - low < 2^32.
  int UniformInt(int low, int high) {
    const uint64_t count = static_cast<uint64_t>(static_cast<int64_t>(high) - low + 1);
    return static_cast<int>(low + static_cast<int64_t>((Next() >> 32) * count >> 32));
  }
  // Mean 0, deviation 1, within -3.5..3.5: four uniform numbers added (Irwin-Hall), so that no logarithm is needed.
  double Bell() {
    double sum = 0;
    for (int i = 0; i < 4; ++i) sum += Uniform(-1, 1);
    return sum * 0.8660254037844386;  // sqrt(3) / 2
  }

 private:
  uint64_t state_;
};

}  // namespace digit
