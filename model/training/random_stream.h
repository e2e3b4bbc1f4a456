// A small random generator whose state is a seed and a counter: SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable
// pseudorandom number generators").
//
// Every random decision of training comes from RandomStream(seed, epoch, what), so that there is nothing to save for a
// resumed run and nothing that depends on the number of threads.
#pragma once

#include <cstdint>

namespace digit {

class RandomStream {
 public:
  explicit RandomStream(uint64_t seed, uint64_t stream = 0, uint64_t item = 0) : state_(seed) {
    state_ = Next() + stream;
    state_ = Next() + item;
  }

  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // Uniform in [low, high).
  float Uniform(float low, float high) {
    return low + (high - low) * static_cast<float>(Next() >> 40) * (1.0f / (1 << 24));
  }
  // Uniform in 0 .. limit - 1; limit >= 1. (The bias of the product method is below 2^-32 for our limits.)
  uint32_t Below(uint32_t limit) { return static_cast<uint32_t>((Next() >> 32) * limit >> 32); }

 private:
  uint64_t state_;
};

}  // namespace digit
