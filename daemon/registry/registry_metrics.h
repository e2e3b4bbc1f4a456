// Models and their versions as metrics, and what is counted when versions come in.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/telemetry/metric_registry.h"
#include "daemon/registry/model_registry.h"

namespace digit {

// What can be asked of `registry`, which must be there for as long as the metrics are read.
void AddRegistryMetrics(MetricRegistry* metrics, const ModelRegistry* registry);

// Thread-safe.
class ReloadMetrics {
 public:
  explicit ReloadMetrics(MetricRegistry* metrics);

  // A reload, promotion or publication of `name` (empty: the default model). Names come from callers: those that
  // `registry` does not know are counted together.
  void Count(const ModelRegistry& registry, absl::string_view name,
             const absl::StatusOr<ModelRegistry::Reloaded>& outcome);

 private:
  CounterFamily& reloads_;
};

}  // namespace digit
