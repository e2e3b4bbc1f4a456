#include "client/ctl/bench/arrivals.h"

#include <cmath>

namespace digit {

absl::Duration PoissonArrivals::Next() {
  seconds_ -= std::log1p(-random_.Uniform(0, 1)) / rate_;  // inverse of the exponential's distribution function
  return absl::Seconds(seconds_);
}

}  // namespace digit
