// The wiring of digitd, in one place: built bottom-up, drained top-down.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "daemon/app/daemon_config.h"
#include "daemon/training/trainings.h"

namespace digit {

class Daemon {
 public:
  // Loads the models, then listens. `config` has passed Validate(). Errors say what failed in one line: a model as
  // Load() says it (see failed_to_listen for telling them apart), the address as UNAVAILABLE.
  static absl::StatusOr<std::unique_ptr<Daemon>> Start(const DaemonConfig& config, absl::Time now);
  ~Daemon();  // Stop(), if it was not called

  // NOT_SERVING, no new connections, answer what was accepted (at most drain_timeout), then free everything. Blocks.
  void Stop();

  // Looks at every model's file and reloads those that have changed; does not wait for that.
  void ReloadAll();

  // "127.0.0.1:50051", with the port that was picked.
  const std::string& address() const { return address_; }
  // The same of the metrics; empty: they are off.
  const std::string& metrics_address() const { return metrics_address_; }

 private:
  Daemon();
  absl::Status LoadModels(absl::Time now);
  absl::Status ServeMetrics();
  Trainings::Options TrainingsOptions();
  absl::Status StartWatching();
  struct Parts;

  std::unique_ptr<Parts> parts_;
  std::string address_, metrics_address_;
};

}  // namespace digit
