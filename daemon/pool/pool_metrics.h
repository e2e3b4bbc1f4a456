// What can be asked of a pool, as metrics.
#pragma once

#include "base/telemetry/metric_registry.h"
#include "daemon/pool/pool.h"

namespace digit {

// `pool` must be there for as long as the metrics are read.
void AddPoolMetrics(MetricRegistry* metrics, const Pool* pool);

}  // namespace digit
