// digit-train: trains the digit network, gets its data, says how good a model is.
#include <atomic>
#include <csignal>
#include <cstdio>
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
static_assert(std::atomic<bool>::is_always_lock_free, "written by a signal handler");

void RequestStop(int signal) {
  stop_requested = true;
  std::signal(signal, SIG_DFL);  // a second Ctrl-C ends the program at once
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
