// What every program can say of itself: its build, memory, processor time, descriptors and start.
#pragma once

#include "base/telemetry/metric_registry.h"

namespace digit {

// digit_build_info and the process_* metrics that Prometheus' own client libraries have, read from /proc when asked.
// What cannot be read there is left out.
void AddProcessMetrics(MetricRegistry* metrics);

}  // namespace digit
