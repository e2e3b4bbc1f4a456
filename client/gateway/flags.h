// The only place that declares digit-gateway's flags. A flag wins over the environment (DIGIT_GATEWAY_LISTEN for
// --listen), which wins over the default.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace digit {

// Exit codes of digit-gateway, shown by --help.
enum GatewayExitCode { kGatewayOk = 0, kGatewayUsage = 2, kGatewayListen = 4 };

struct GatewayConfig {
  std::string listen = "127.0.0.1:8080";
  std::string server = "localhost:50051";
  int threads = 0;  // 0: one per usable core
  absl::Duration timeout = absl::Seconds(10);
  absl::Duration head_timeout = absl::Seconds(10);
  absl::Duration body_timeout = absl::Seconds(60);
  absl::Duration idle_timeout = absl::Seconds(75);
  std::vector<std::string> hosts, origins;
  int max_connections = 16'000;
  int max_body_bytes = 15 << 20;
  int max_buffered_bytes = 256 << 20;
  absl::Duration drain_timeout = absl::Seconds(20);
  std::string log_level = "info";
  bool access_log = false;
};

struct ParsedGatewayFlags {
  GatewayConfig config;
  std::optional<int> exit_code;  // set: do not start
};

// Prints help, versions and problems itself.
ParsedGatewayFlags ParseGatewayFlags(int argc, char** argv);

}  // namespace digit
