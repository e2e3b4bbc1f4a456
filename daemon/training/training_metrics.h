// Trainings as metrics.
#pragma once

#include "base/telemetry/metric_registry.h"
#include "daemon/training/trainings.h"

namespace digit {

// What can be asked of `trainings`, which must be there for as long as the metrics are read.
void AddTrainingMetrics(MetricRegistry* metrics, const Trainings* trainings);

// Thread-safe.
class TrainingMetrics {
 public:
  explicit TrainingMetrics(MetricRegistry* metrics);

  // `state`: done, failed or cancelled.
  void CountEnd(TrainingJobState state) { ended_.With({NameOf(state)}).Add(); }

 private:
  CounterFamily& ended_;
};

}  // namespace digit
