#include "daemon/app/daemon_metrics.h"

#include <utility>

#include "base/telemetry/process_metrics.h"
#include "daemon/pool/pool_metrics.h"
#include "daemon/rpc/open_streams.h"

namespace digit {

void DaemonMetrics::AddPulled(const Pool* pool, const ModelRegistry* models, const DecodePool* pictures,
                              Corrections* corrections, const Trainings* trainings,
                              std::vector<const OpenStreams*> streams) {
  registry.AddPulled(MetricType::kGauge, "digit_stream_open",
                     "RecognizeStream and ModelStreamInfer calls that are open.", {},
                     [streams = std::move(streams)](Samples* samples) {
                       int open = 0;
                       for (const OpenStreams* of_service : streams) open += of_service->size();
                       samples->Set({}, open);
                     });
  registry.AddPulled(MetricType::kGauge, "digit_decode_queue_images", "Pictures that wait to be decoded.", {},
                     [pictures](Samples* samples) { samples->Set({}, pictures->num_queued()); });
  AddPoolMetrics(&registry, pool);
  AddRegistryMetrics(&registry, models);
  AddModelStatsMetrics(&registry, corrections);
  AddTrainingMetrics(&registry, trainings);
  AddProcessMetrics(&registry);
}

}  // namespace digit
