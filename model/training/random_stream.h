// The random numbers of training: Random(seed, epoch, picture), so that there is nothing to save for a resumed run and
// nothing that depends on the number of threads.
#pragma once

#include <cstdint>

#include "model/dataset/random.h"

namespace digit {

class RandomStream {
 public:
  // Different streams and items give unrelated numbers.
  explicit RandomStream(uint64_t seed, uint64_t stream = 0, uint64_t item = 0)
      : random_(Random(Random(seed).Next() + stream).Next() + item) {}

  // Uniform in [low, high), exact to 24 bits.
  float Uniform(float low, float high) {
    return low + (high - low) * static_cast<float>(random_.Next() >> 40) * (1.0f / (1 << 24));
  }
  // Uniform in 0 .. limit - 1; limit >= 1. (The bias of the product method is below limit / 2^32.)
  uint32_t Below(uint32_t limit) { return static_cast<uint32_t>((random_.Next() >> 32) * limit >> 32); }

 private:
  Random random_;
};

}  // namespace digit
