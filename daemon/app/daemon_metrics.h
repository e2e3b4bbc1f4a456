// Everything that digitd counts; made when --metrics-listen asks for it. The one place that lists where metrics come
// from: a new source gets a line here.
#pragma once

#include <vector>

#include "base/telemetry/metric_registry.h"
#include "daemon/pool/model_metrics.h"
#include "daemon/registry/registry_metrics.h"
#include "daemon/rpc/rpc_metrics.h"
#include "daemon/serving/decode_pool.h"
#include "daemon/serving/feedback_metrics.h"
#include "daemon/training/training_metrics.h"

namespace digit {

class OpenStreams;

struct DaemonMetrics {
  // Adds what is asked for when somebody reads. Before the first Collect(); all must be there for as long as that is.
  void AddPulled(const Pool* pool, const ModelRegistry* models, const DecodePool* pictures, Corrections* corrections,
                 const Trainings* trainings, std::vector<const OpenStreams*> streams);

  MetricRegistry registry;
  // What is pushed.
  RpcMetrics rpc{&registry};
  ModelMetricFamilies models{&registry};
  DecodeMetrics decode = DecodeMetrics::In(&registry);
  ReloadMetrics reloads{&registry};
  FeedbackMetrics feedback{&registry};
  TrainingMetrics trainings{&registry};
};

}  // namespace digit
