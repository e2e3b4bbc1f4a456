// digit-train: trains the digit network, gets its data, says how good a model is.
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string>

#include "absl/status/status.h"
#include "base/file.h"
#include "base/standard_output.h"
#include "model/dataset/fetch.h"
#include "model/training/evaluate_command.h"
#include "model/training/flags.h"
#include "model/training/training_run.h"

namespace digit {
namespace {

std::atomic<bool> stop_requested = false;
std::atomic<int64_t> stop_requested_ms = 0;  // 0: not yet
static_assert(std::atomic<int64_t>::is_always_lock_free, "written by a signal handler");

int64_t NowMs() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

// A second Ctrl-C ends the program at once. What comes together with the first is the first: timeout(1) sends its
// signal to the program and again to its group.
void RequestStop(int signal) {
  constexpr int64_t kTogetherMs = 300;
  const int64_t now_ms = NowMs();
  int64_t first_ms = 0;
  if (!stop_requested_ms.compare_exchange_strong(first_ms, now_ms) && now_ms - first_ms > kTogetherMs) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  stop_requested = true;
}

absl::Status Evaluate(const Flags& flags) {
  const absl::StatusOr<EvaluatedModel> evaluated =
      EvaluateModelFile(flags.model, flags.train.dataset, flags.train.data_dir, flags.train.threads);
  if (!evaluated.ok()) return evaluated.status();
  if (!evaluated->warning.empty()) std::fprintf(stderr, "digit-train: %s\n", evaluated->warning.c_str());
  return WriteToStandardOutput(evaluated->text);
}

void StopOnSignals() {
  std::signal(SIGINT, RequestStop);
  std::signal(SIGTERM, RequestStop);
}

absl::Status Fetch(const Flags& flags) {
  StopOnSignals();
  FetchOptions options;
  options.stop = &stop_requested;
  options.on_progress = [](absl::string_view line) { std::fprintf(stderr, "%s\n", std::string(line).c_str()); };
  return FetchDataSet(flags.fetch_set, flags.train.data_dir, options);
}

absl::Status Run(const Flags& flags) {
  switch (flags.command) {
    case Command::kFetch:
      return Fetch(flags);
    case Command::kEvaluate:
      return Evaluate(flags);
    case Command::kTrain:
      StopOnSignals();
      std::signal(SIGPIPE, SIG_IGN);  // who reads the events may go; the training goes on
      return RunTraining(flags.train, &stop_requested);
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace digit

int main(int argc, char** argv) {
  digit::OpenStandardDescriptors();
  const digit::ParsedFlags parsed = digit::ParseFlags(argc, argv);
  if (!parsed.run) return parsed.exit_code;
  const absl::Status status = digit::Run(parsed.flags);
  if (status.ok()) return digit::kExitOk;
  std::fprintf(stderr, "digit-train: %s\n", std::string(status.message()).c_str());
  return absl::IsCancelled(status) ? digit::kExitInterrupted : digit::kExitFailed;
}
