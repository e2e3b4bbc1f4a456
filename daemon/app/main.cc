// digitd: flags, signals, one Daemon.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "base/build_info.h"
#include "base/file.h"
#include "base/log.h"
#include "daemon/app/daemon.h"
#include "daemon/app/flags.h"

namespace digit {
namespace {

LogLevel LogLevelOf(const std::string& name) {
  static const std::map<std::string, LogLevel> levels = {{"debug", LogLevel::kDebug},
                                                         {"info", LogLevel::kInfo},
                                                         {"warn", LogLevel::kWarn},
                                                         {"error", LogLevel::kError},
                                                         {"off", LogLevel::kOff}};
  return levels.at(name);
}

// Blocked in every thread, so that main() can wait for them.
sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signals;
}

int Main(int argc, char** argv) {
  OpenStandardDescriptors();
  // Debian builds Abseil with its detector of lock cycles on: every lock that gRPC takes would go through one global
  // graph behind one spin lock, the largest single cost of a small call.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  const ParsedFlags flags = ParseFlags(argc, argv);
  if (flags.exit_code.has_value()) return *flags.exit_code;
  // One thread per executor: the libraries under the torch module must not start their own.
  setenv("OMP_NUM_THREADS", "1", 1);
  setenv("OPENBLAS_NUM_THREADS", "1", 1);
  const sigset_t signals = BlockStopSignals();
  SetLogLevel(LogLevelOf(flags.config.log_level));

  absl::StatusOr<std::unique_ptr<Daemon>> daemon = Daemon::Start(flags.config, absl::Now());
  if (!daemon.ok()) {
    std::fprintf(stderr, "digitd: %s\n", std::string(daemon.status().message()).c_str());
    return daemon.status().code() == absl::StatusCode::kUnavailable ? kExitListen : kExitModel;
  }
  LogInfo("serving", {{"address", (*daemon)->address()}, {"build", BuildId()}});
  int signal = 0;
  sigwait(&signals, &signal);
  LogInfo("stopping", {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}});
  (*daemon)->Stop();
  LogInfo("stopped");
  return kExitOk;
}

}  // namespace
}  // namespace digit

int main(int argc, char** argv) { return digit::Main(argc, argv); }
