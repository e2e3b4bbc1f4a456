#include "daemon/app/daemon_metrics.h"

#include "base/telemetry/process_metrics.h"
#include "daemon/pool/pool_metrics.h"
#include "daemon/rpc/digit_service.h"

namespace digit {

void DaemonMetrics::AddPulled(const Pool* pool, const ModelRegistry* models, const DecodePool* pictures,
                              Corrections* corrections, const Trainings* trainings, DigitServiceImpl* service) {
  registry.AddPulled(MetricType::kGauge, "digit_stream_open", "RecognizeStream calls that are open.", {},
                     [service](Samples* samples) { samples->Set({}, service->num_open_streams()); });
  registry.AddPulled(MetricType::kGauge, "digit_decode_queue_images", "Pictures that wait to be decoded.", {},
                     [pictures](Samples* samples) { samples->Set({}, pictures->num_queued()); });
  AddPoolMetrics(&registry, pool);
  AddRegistryMetrics(&registry, models);
  AddModelStatsMetrics(&registry, corrections);
  AddTrainingMetrics(&registry, trainings);
  AddProcessMetrics(&registry);
}

}  // namespace digit
