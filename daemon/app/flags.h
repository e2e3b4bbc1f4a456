// The only place that declares digitd's flags. A flag wins over the environment (DIGITD_LISTEN for --listen), the
// environment over the file named by --config, the file over the default.
#pragma once

#include <optional>

#include "daemon/app/daemon_config.h"

namespace digit {

// Exit codes of digitd, shown by --help.
enum ExitCode { kExitOk = 0, kExitFailure = 1, kExitUsage = 2, kExitModel = 3, kExitListen = 4 };

struct ParsedFlags {
  DaemonConfig config;
  std::optional<int> exit_code;  // set: do not start (--help, --version, --print-config, or a wrong command line)
};

// Prints help, versions and problems itself.
ParsedFlags ParseFlags(int argc, char** argv);

}  // namespace digit
