// The command line of digit-train.
#pragma once

#include <string>

#include "model/training/training_run.h"

namespace digit {

enum class Command { kTrain, kFetch, kEvaluate };

struct Flags {
  Command command = Command::kTrain;
  TrainOptions train;
  std::string fetch_set;  // "mnist", "fashion-mnist"
  std::string model;      // of evaluate
};

// Exit codes, also in --help.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitInterrupted = 130;

struct ParsedFlags {
  bool run = false;  // go on with `flags`; otherwise leave with `exit_code`
  int exit_code = kExitOk;
  Flags flags;
};

// Prints help or what is wrong with the command line itself.
ParsedFlags ParseFlags(int argc, char** argv);

// Where a data set lies by default: $XDG_CACHE_HOME/digit/NAME or ~/.cache/digit/NAME.
std::string DefaultDataDir(const std::string& dataset);

}  // namespace digit
