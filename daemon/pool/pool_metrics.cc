#include "daemon/pool/pool_metrics.h"

namespace digit {

void AddPoolMetrics(MetricRegistry* metrics, const Pool* pool) {
  metrics->AddPulled(MetricType::kGauge, "digit_executors", "Threads that run batches.", {}, [pool](Samples* samples) {
    samples->Set({}, static_cast<double>(pool->executor_names().size()));
  });
  metrics->AddPulled(MetricType::kCounter, "digit_executor_busy_seconds_total",
                     "Time from the cut of a batch to its answers, of batches that are done.", {"executor"},
                     [pool](Samples* samples) {
                       const std::vector<absl::Duration> busy = pool->busy_times();
                       for (size_t i = 0; i < busy.size(); ++i) {
                         samples->Set({pool->executor_names()[i]}, absl::ToDoubleSeconds(busy[i]));
                       }
                     });
}

}  // namespace digit
