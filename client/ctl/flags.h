// digitctl's command line: the only place that knows flags and reads DIGIT_SERVER.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "client/ctl/bench/options.h"
#include "client/ctl/feedback/options.h"
#include "client/ctl/train/options.h"

namespace digit {

// digitctl's exit codes, as --help documents them.
enum ExitCode {
  kExitOk = 0,
  kExitSomeFailed = 1,  // some file was not recognised; health: not serving; bench: an error, a wrong answer, cut short
  kExitUsage = 2,       // wrong flags, no such file pattern
  kExitUnreachable = 3,  // no connection, or no answer in time
  kExitRefused = 4,      // the server refused the request, or output could not be written
};

enum class Command {
  kRecognize,
  kModels,
  kReload,
  kRollback,
  kPromote,
  kShadow,
  kStats,
  kFeedbackAdd,
  kFeedbackList,
  kFeedbackExport,
  kFeedbackReview,
  kTrain,
  kTrainWatch,
  kTrainCancel,
  kTrainList,
  kHealth,
  kVersion,
  kBench
};
enum class OutputFormat { kText, kJson, kCsv };

struct Flags {
  Command command = Command::kRecognize;
  std::string server;  // as given, not yet checked
  absl::Duration timeout = absl::Seconds(10);
  OutputFormat output = OutputFormat::kText;
  std::string admin_token_file;  // empty: none
  // Of `recognize`, `bench` and `model`:
  std::string model;          // empty: the server's default
  bool force = false;         // of `model reload` and `promote`, and `feedback export`
  bool candidate = false;     // of `model reload`
  bool all = false;           // of `model reload`: every address of the server's name
  double share = 0;           // of `model shadow`
  std::string model_version;  // empty: the live one
  BenchOptions bench;
  FeedbackOptions feedback;
  TrainFlags train;
  // Of `recognize`:
  std::vector<std::string> files;  // at least one; of `feedback add` one
  bool stream = false;
  int top_k = 0;  // 0: not asked for
  bool show = false;
  bool timing = false;
};

// The command line asks for no command to run: help or version on stdout (exit 0), or one line on stderr (exit 2).
struct EarlyExit {
  int code = 0;
  std::string text;
};

// `args` without the program's name. Reads the environment for DIGIT_SERVER, which a --server overrides.
std::variant<Flags, EarlyExit> ParseFlags(const std::vector<std::string>& args);

}  // namespace digit
