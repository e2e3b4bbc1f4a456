#include "client/ctl/bench/windows.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace digit {

double Spread(const std::vector<double>& values) {
  if (values.size() < 2) return 0;
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  if (mean <= 0) return 1;
  double farthest = 0;
  for (const double value : values) farthest = std::max(farthest, std::abs(value - mean));
  return farthest / mean;
}

bool IsStable(const std::vector<Window>& windows, double limit) {
  if (windows.size() < kStableWindows) return false;
  std::vector<double> rates, medians;
  for (size_t i = windows.size() - kStableWindows; i < windows.size(); ++i) {
    if (windows[i].images == 0) return false;
    rates.push_back(windows[i].images_per_second());
    medians.push_back(absl::ToDoubleSeconds(windows[i].median));
  }
  return Spread(rates) <= limit && Spread(medians) <= limit;
}

double ThroughputSpread(const std::vector<Window>& windows) {
  std::vector<double> rates;
  for (const Window& window : windows) rates.push_back(window.images_per_second());
  return Spread(rates);
}

}  // namespace digit
