#include "model/training/flags.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/build_info.h"
#include "base/standard_output.h"
#include "base/threads.h"
#include "model/engine/device.h"

namespace digit {
namespace {

constexpr char kExamples[] = R"(Examples:
  digit-train fetch mnist                          get the training pictures, once
  digit-train --out mnist.pt                       train for five epochs, well under a minute on two cores
  digit-train --out mnist.pt --epochs 20 --report report.html
  digit-train --out mnist.pt --resume              go on after a crash or Ctrl-C
  digit-train --out mnist.pt --device cuda         on a GPU, if digit-train is built with a LibTorch that has CUDA
  digit-train --out new.pt --init mnist.pt --corrections fixes       learn from corrections (digitctl feedback export)
  digit-train evaluate mnist.pt                    accuracy, errors of each digit, calibration

Trains the digit network and writes a model file for digitd.
)";

constexpr char kFooter[] = R"(
Exit codes: 0 done; 1 failed, the reason is on stderr; 2 wrong command line; 130 stopped by Ctrl-C or SIGTERM, a
checkpoint is written. Words go to stderr; only evaluate writes to stdout.)";

constexpr char kFetchExamples[] = R"(Examples:
  digit-train fetch mnist                          into the folder where training looks for it
  digit-train fetch fashion-mnist --data-dir data/fashion-mnist

Gets the four files of a data set and checks their SHA-256. What is there already is kept. Ctrl-C stops it; the same
command goes on from there.
)";

constexpr char kEvaluateExamples[] = R"(Examples:
  digit-train evaluate mnist.pt                    accuracy, errors of each digit, calibration, verdicts
  digit-train evaluate clothes.pt --dataset fashion-mnist

Says on stdout how good a model of the digit network is on the data set's test pictures.
)";

constexpr char kShortFooter[] = R"(
Exit codes: 0 done; 1 failed, the reason is on stderr; 2 wrong command line.)";

constexpr char kFetchFooter[] = R"(
Exit codes: 0 done; 1 failed, the reason is on stderr; 2 wrong command line; 130 stopped by Ctrl-C or SIGTERM.)";

std::string CheckSeed(const std::string& text) {
  int64_t seed = 0;
  return absl::SimpleAtoi(text, &seed) ? "" : absl::StrCat("'", text, "' is not a whole number of 64 bits");
}

absl::StatusOr<Device> ParseTrainingDevice(const std::string& text) {
  return ParseDevice(text == "cuda" ? "cuda:0" : text);
}

std::string CacheFolder() {
  // An empty variable counts as unset (XDG Base Directory Specification).
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0') return cache;
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') return absl::StrCat(home, "/.cache");
  return ".";
}

void AddDataFlags(CLI::App* app, TrainOptions* options) {
  app->add_option("--dataset", options->dataset, "mnist or fashion-mnist; with --data-dir any name")
      ->capture_default_str();
  app->add_option("--data-dir", options->data_dir,
                  "folder of the IDX files, plain or gzip (default: " + DefaultDataDir("DATASET") + ")");
  app->add_option("--threads", options->threads, "threads; their number does not change the outcome")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
}

void AddTrainFlags(CLI::App* app, TrainOptions* options) {
  app->add_option("--out", options->out, "model file to write");
  AddDataFlags(app, options);
  app->add_option_function<std::string>(
         "--device", [options](const std::string& text) { options->device = *ParseTrainingDevice(text); },
         "cpu, cuda (the first GPU) or cuda:N")
      ->check([](const std::string& text) {
        const absl::StatusOr<Device> device = ParseTrainingDevice(text);
        return device.ok() ? std::string() : std::string(device.status().message());
      })
      ->default_str("cpu");
  app->add_option("--epochs", options->recipe.epochs,
                  absl::StrCat("passes over the training pictures (default: ", Recipe().epochs, ", with --init ",
                               FineTuningRecipe().epochs, ")"))
      ->check(CLI::Range(1, 10'000));
  app->add_option("--seed", options->recipe.seed, "the same seed gives the same model")
      ->check(CheckSeed)
      ->capture_default_str();
  app->add_option("--checkpoint", options->checkpoint, "file for what is needed to go on (default: OUT.checkpoint)");
  app->add_option("--init", options->init, "begin with the weights of this model file, gently: fine-tuning");
  app->add_option("--corrections", options->corrections,
                  "folder of train-* files with corrected pictures, label 255 for what is no digit; each is trained on "
                  "many times. With --dataset none they go among generated digits");
  app->add_option("--like", options->like, "take labels and framing from this model file");
  app->add_option("--events-fd", options->events_fd, "descriptor for JSON lines about the progress, for programs")
      ->check(CLI::Range(1, 1 << 20));
  app->add_flag("--resume", options->resume, "go on from the checkpoint if there is one");
  app->add_option("--report", options->report, "also write an HTML report to this file");
}

// Names that this program can fetch need no folder; others do.
void CheckDataFlags(const CLI::App& app, const TrainOptions& options) {
  const bool known = options.dataset == "mnist" || options.dataset == "fashion-mnist";
  if (options.dataset == "none") {
    if (options.init.empty()) throw CLI::ValidationError("--dataset", "none goes with --init only");
  } else if (!known && options.data_dir.empty()) {
    throw CLI::ValidationError("--dataset", "'" + options.dataset +
                                                "' is not mnist, fashion-mnist or none: its folder must be named with "
                                                "--data-dir");
  }
  if (!app.get_subcommands().empty() && !known) {
    throw CLI::ValidationError("--dataset", "must be mnist or fashion-mnist here");
  }
}

// Prints help, the version or what is wrong; the exit code.
int Leave(const CLI::App& app, const CLI::ParseError& error) {
  std::ostringstream words;
  if (app.exit(error, words, std::cerr) != 0) return kExitUsage;
  const absl::Status status = WriteToStandardOutput(words.str());
  if (status.ok()) return kExitOk;
  std::cerr << "digit-train: " << status.message() << "\n";
  return kExitFailed;
}

}  // namespace

std::string DefaultDataDir(const std::string& dataset) { return absl::StrCat(CacheFolder(), "/digit/", dataset); }

ParsedFlags ParseFlags(int argc, char** argv) {
  ParsedFlags parsed;
  Flags& flags = parsed.flags;
  flags.train.threads = UsableCores();
  CLI::App app(kExamples, "digit-train");
  app.footer(kFooter);
  app.failure_message([](const CLI::App*, const CLI::Error& error) {
    return absl::StrCat("digit-train: ", error.what(), "; see digit-train --help\n");
  });
  app.set_version_flag("--version", absl::StrCat("digit-train ", Version()));
  app.require_subcommand(0, 1);
  AddTrainFlags(&app, &flags.train);

  CLI::App* fetch = app.add_subcommand("fetch", "get a data set: mnist or fashion-mnist");
  fetch->footer(kFetchFooter);
  fetch->add_option("SET", flags.fetch_set, "mnist or fashion-mnist")
      ->check(CLI::IsMember({"mnist", "fashion-mnist"}))
      ->required();
  fetch->add_option("--data-dir", flags.train.data_dir, "folder for the files");

  CLI::App* evaluate = app.add_subcommand("evaluate", "say how good a model is on the test pictures");
  evaluate->footer(kShortFooter);
  evaluate->add_option("MODEL", flags.model, "model file")->required();
  AddDataFlags(evaluate, &flags.train);

  try {
    app.parse(argc, argv);
    if (app.get_subcommands().empty() && flags.train.out.empty()) throw CLI::RequiredError("--out");
    CheckDataFlags(app, flags.train);
  } catch (const CLI::ParseError& error) {
    if (*fetch) fetch->description(kFetchExamples);  // only in its own help, not in the list of commands
    if (*evaluate) evaluate->description(kEvaluateExamples);
    parsed.exit_code = Leave(app, error);
    return parsed;
  }
  if (*fetch) flags.command = Command::kFetch;
  if (*evaluate) flags.command = Command::kEvaluate;
  if (!flags.train.init.empty()) {
    const Recipe fine = FineTuningRecipe();
    flags.train.recipe.peak_learning_rate = fine.peak_learning_rate;
    if (app.count("--epochs") == 0) flags.train.recipe.epochs = fine.epochs;
  }
  if (flags.train.data_dir.empty()) {
    flags.train.data_dir = DefaultDataDir(*fetch ? flags.fetch_set : flags.train.dataset);
  }
  if (flags.train.checkpoint.empty()) flags.train.checkpoint = flags.train.out + ".checkpoint";
  parsed.run = true;
  return parsed;
}

}  // namespace digit
