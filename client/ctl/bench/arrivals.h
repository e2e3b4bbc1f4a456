// When an open loop sends: independent users, as a Poisson process.
#pragma once

#include <cstdint>

#include "absl/time/time.h"
#include "model/dataset/random.h"

namespace digit {

// Gaps are exponential with mean 1 / rate. The schedule is a function of rate and seed and of nothing else: a server
// that answers late cannot move it, which is what keeps an open loop free of coordinated omission.
class PoissonArrivals {
 public:
  // `rate` arrivals a second, above 0.
  PoissonArrivals(double rate, uint64_t seed) : rate_(rate), random_(seed) {}

  // The next arrival, counted from the start; never before the last one.
  absl::Duration Next();

 private:
  const double rate_;
  Random random_;
  double seconds_ = 0;
};

}  // namespace digit
