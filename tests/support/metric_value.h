// What a metric says now.
#pragma once

#include <limits>
#include <string>

#include "base/telemetry/metric_registry.h"

namespace digit {

// Of a counter or gauge; of a histogram how many values it has. NaN when there is none with these labels.
inline double ValueOf(const MetricRegistry& metrics, const std::string& name, const LabelValues& labels = {}) {
  for (const MetricReading& reading : metrics.Collect()) {
    if (reading.name != name) continue;
    if (const auto found = reading.values.find(labels); found != reading.values.end()) return found->second;
    if (const auto found = reading.histograms.find(labels); found != reading.histograms.end()) {
      return static_cast<double>(found->second.count());
    }
  }
  return std::numeric_limits<double>::quiet_NaN();
}

}  // namespace digit
