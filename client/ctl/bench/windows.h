// Whether a measurement has settled.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/time/time.h"

namespace digit {

// What ended within one window of a measurement.
struct Window {
  double seconds = 0;     // its real length
  int64_t images = 0;     // answered
  absl::Duration median;  // of the latencies of its requests
  double images_per_second() const { return seconds > 0 ? static_cast<double>(images) / seconds : 0; }
};

inline constexpr size_t kStableWindows = 3;

// Largest distance from the mean, as a share of the mean. 0 for fewer than two values; 1 when the mean is 0.
double Spread(const std::vector<double>& values);

// Whether throughput and median latency of the last three windows each lie within `limit` (0.05: 5 %) of their own
// mean. The median counts because an overloaded open loop has steady throughput while its queue grows. False with fewer
// windows, and when one of them answered nothing.
bool IsStable(const std::vector<Window>& windows, double limit);

// Of the throughput of all windows.
double ThroughputSpread(const std::vector<Window>& windows);

}  // namespace digit
