// Trainings as metrics.
#pragma once

#include "base/telemetry/metric_registry.h"
#include "daemon/training/trainings.h"

namespace digit {

// What can be asked of `trainings`, which must be there for as long as the metrics are read.
void AddTrainingMetrics(MetricRegistry* metrics, const Trainings* trainings);

}  // namespace digit
