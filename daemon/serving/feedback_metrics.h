// Corrections, and how models do, as metrics.
#pragma once

#include <string>

#include "base/telemetry/metric_registry.h"
#include "daemon/serving/corrections.h"

namespace digit {

// What Corrections::LatestStats() says of versions that are loaded: callers may name any version. `corrections` must be
// there for as long as the metrics are read.
void AddModelStatsMetrics(MetricRegistry* metrics, Corrections* corrections);

// Thread-safe.
class FeedbackMetrics {
 public:
  explicit FeedbackMetrics(MetricRegistry* metrics);

  // `done`, after what has become of a correction to `model` (empty: the default) is counted. Names come from callers:
  // those that `registry` does not know are counted together.
  Corrections::Done<FeedbackStore::Added> Counted(const ModelRegistry& registry, const std::string& model,
                                                  Corrections::Done<FeedbackStore::Added> done);

 private:
  CounterFamily& corrections_;
};

}  // namespace digit
