// digitd: flags, signals, one Daemon.
#include <malloc.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "base/build_info.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/threads.h"
#include "daemon/app/daemon.h"
#include "daemon/app/flags.h"

namespace digit {
namespace {

// Blocked in every thread but the one that waits for them.
sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signals;
}

// Waits for the stop signals on a thread of its own, because loading a model may take long, or for ever: a model file
// is a program. Before Serve() the first one ends the process at once, for nothing has been accepted; after it, it is
// handed to main(), and a second one ends the process without waiting for what is left. SIGHUP reloads models.
class StopSignals {
 public:
  StopSignals() {
    StartThread("signals", [this, signals = BlockStopSignals()] { Run(signals); }).detach();  // ends with the process
  }

  // Blocks until the first signal that stops. Meanwhile `reload` runs for every SIGHUP, on the signals' thread.
  int Serve(std::function<void()> reload) {
    MutexLock lock(&mu_);
    reload_ = std::move(reload);
    if (reload_at_once_) reload_();
    while (received_ == 0) changed_.Wait(&mu_);
    reload_ = [] {};
    return received_;
  }

 private:
  void Run(const sigset_t& signals) {
    while (true) {
      int signal = 0;
      sigwait(&signals, &signal);
      MutexLock lock(&mu_);
      if (signal == SIGHUP) {
        if (reload_) {
          reload_();
        } else {
          reload_at_once_ = true;
        }
        continue;
      }
      if (!reload_) End("stopped before it served", kExitOk);
      if (received_ != 0 && SteadyClock()->Now() - received_at_ < absl::Seconds(1)) continue;  // the same one, doubled
      if (received_ != 0) End("stopped without finishing: a second signal", kExitFailure);
      received_ = signal;
      received_at_ = SteadyClock()->Now();
      changed_.NotifyAll();
    }
  }

  // Without destructors: main() may be anywhere.
  [[noreturn]] static void End(const char* event, int code) {
    LogWarn(event);
    std::_Exit(code);
  }

  Mutex mu_;
  CondVar changed_;
  std::function<void()> reload_ ABSL_GUARDED_BY(mu_);  // null before Serve()
  bool reload_at_once_ ABSL_GUARDED_BY(mu_) = false;   // SIGHUP came before Serve()
  int received_ ABSL_GUARDED_BY(mu_) = 0;
  SteadyTime received_at_ ABSL_GUARDED_BY(mu_);
};

int Main(int argc, char** argv) {
  OpenStandardDescriptors();
  // Debian builds Abseil with its detector of lock cycles on: every lock that gRPC takes would go through one global
  // graph behind one spin lock, the largest single cost of a small call.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  // Weights come and go with every reload. glibc raises this threshold to what was freed last, and then they are cut
  // from a heap that never shrinks: 29 MiB became 97 after 900 reloads. Fixed, they go back to the system.
  mallopt(M_MMAP_THRESHOLD, 128 << 10);
  const ParsedFlags flags = ParseFlags(argc, argv);
  if (flags.exit_code.has_value()) return *flags.exit_code;
  // One thread per executor: the libraries under the torch module must not start their own.
  setenv("OMP_NUM_THREADS", "1", 1);
  setenv("OPENBLAS_NUM_THREADS", "1", 1);
  SetLogLevel(LogLevelOf(flags.config.log_level));
  StopSignals& stop_signals = *new StopSignals;  // never deleted: its thread uses it

  absl::StatusOr<std::unique_ptr<Daemon>> daemon = Daemon::Start(flags.config, absl::Now());
  if (!daemon.ok()) {
    std::fprintf(stderr, "digitd: %s\n", std::string(daemon.status().message()).c_str());
    return daemon.status().code() == absl::StatusCode::kUnavailable ? kExitListen : kExitModel;
  }
  if ((*daemon)->metrics_address().empty()) {
    LogInfo("serving", {{"address", (*daemon)->address()}, {"build", BuildId()}});
  } else {
    LogInfo("serving",
            {{"address", (*daemon)->address()}, {"metrics", (*daemon)->metrics_address()}, {"build", BuildId()}});
  }
  const int signal = stop_signals.Serve([&daemon] {
    LogInfo("reloading", {{"signal", "SIGHUP"}});
    (*daemon)->ReloadAll();
  });
  LogInfo("stopping", {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}});
  (*daemon)->Stop();
  LogInfo("stopped");
  return kExitOk;
}

}  // namespace
}  // namespace digit

int main(int argc, char** argv) { return digit::Main(argc, argv); }
