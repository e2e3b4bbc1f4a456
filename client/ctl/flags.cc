#include "client/ctl/flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "base/build_info.h"
#include "client/ctl/bench/flags.h"
#include "client/ctl/feedback/flags.h"
#include "client/ctl/train/flags.h"

namespace digit {
namespace {

constexpr char kAbout[] = R"(digitctl asks a digitd server what digit a picture shows.

Examples:
  digitctl recognize img.png                      7, and how sure the model is
  digitctl recognize scans/ --top-k 3             every image file of a folder, with runners-up
  digitctl recognize 'scans/*.png' -o csv > a.csv
  curl -s URL | digitctl recognize - -o json      one picture from standard input
  digitctl recognize img.png --show               draw what the model saw
  digitctl --server 10.0.0.7:50051 models         what a server serves
  until digitctl health; do sleep 1; done         wait for a server
  digitctl model reload mnist                     the file has changed: check it and make it live
  digitctl feedback add img.png --label 7         the answer was wrong: say what is right
  digitctl train --fine-tune --corrections        and let the server learn from it
  digitctl bench --concurrency 1:64:2x            how fast it answers under load
)";

constexpr char kRecognizeAbout[] = R"(Says what digit each picture shows.

Examples:
  digitctl recognize img.png
  digitctl recognize a.png b.jpg scans/ 'more/*.png' --top-k 3
  digitctl recognize scans/ -o json | jq -r '[.file, .label] | @tsv'

A folder stands for its image files by name, not those of folders inside. A quoted pattern is expanded here. `-` is one
picture from standard input. Two or more pictures travel through one stream; answers come in the order of the files.
Pictures: PNG, JPEG, BMP, GIF, WebP or PNM, at most 12 MiB.
)";

constexpr char kModelsExamples[] = R"(Examples:
  digitctl models
  digitctl --server 10.0.0.7:50051 models -o json | jq .name

Exit codes: 0 done, 2 wrong usage, 3 the server cannot be reached or did not answer in time, 4 it refused.)";

constexpr char kModelExamples[] = R"(Examples:
  digitctl model reload                           read the default model's file again, check it, make it live
  digitctl model reload mnist --force             whatever the gate says
  digitctl model rollback mnist                   back to the version before, at once
  digitctl model reload mnist --candidate         beside what is live; `recognize --model-version candidate` asks it
  digitctl model shadow mnist --share 0.1         copies of a tenth of the requests to it; `digitctl models` counts
  digitctl model promote mnist                    make it live
  digitctl model stats mnist                      answers, corrections, confusion matrix, drift
  digitctl --server dns:///digitd:50051 model reload --all          on every server behind the name
  digitctl --admin-token-file token model reload  where the server asks for a token

What was live serves on until the new version has passed its checks, and when it does not.
Exit codes: 0 done, or nothing had changed; 2 wrong usage, 3 the server cannot be reached or did not answer in time,
4 it refused: the reason is on standard error.)";

constexpr char kHealthExamples[] = R"(Examples:
  digitctl health
  until digitctl health; do sleep 1; done         wait for a server

Exit codes: 0 the server takes requests, 1 it does not or is not there, 2 wrong usage.)";

constexpr char kVersionExamples[] = R"(Examples:
  digitctl version
  digitctl --version                              only of this program, without a server

Exit codes: 0 done, 2 wrong usage, 3 the server cannot be reached or did not answer in time, 4 it refused.)";

constexpr char kFooter[] = R"(Data goes to standard output, words go to standard error.
Environment: DIGIT_SERVER is the default of --server, DIGIT_ADMIN_TOKEN_FILE of --admin-token-file; NO_COLOR turns
colour off.
Exit codes:
  0  done (also when the reader of our output has gone, as in `| head`)
  1  some picture was not recognised; `health`: the server is not serving, or not there;
     `bench`: an error, a wrong answer, a request not sent, or cut short; `feedback export`: nothing to export;
     `train`: failed, cancelled, or not better
  2  wrong usage, or a pattern or folder without pictures
  3  the server cannot be reached, or did not answer within --timeout, be it for one picture of many
  4  the server refused the request (an unknown model, say), or the output could not be written)";

// As text, so that the help shows "10s" and not a number.
std::string CheckDuration(const std::string& text) {
  absl::Duration duration;
  if (absl::ParseDuration(text, &duration) && duration > absl::ZeroDuration() && duration <= absl::Hours(24)) return "";
  return absl::StrCat("'", text, "' is not a time above 0 and at most 24h, such as 10s, 500ms or 2m");
}

// CLI11's messages say what is wrong but may span lines; an error of ours is one line with the way to the help.
EarlyExit UsageError(const std::string& message, const std::string& command) {
  std::string line = message;
  std::replace(line.begin(), line.end(), '\n', ' ');
  return {kExitUsage,
          absl::StrCat("digitctl: ", line, ". See: digitctl ", command.empty() ? "" : command + " ", "--help\n")};
}

const std::map<std::string, OutputFormat> kFormats = {
    {"text", OutputFormat::kText}, {"json", OutputFormat::kJson}, {"csv", OutputFormat::kCsv}};

}  // namespace

std::variant<Flags, EarlyExit> ParseFlags(const std::vector<std::string>& args) {
  Flags flags;
  flags.server = "127.0.0.1:50051";
  std::string timeout = "10s";
  std::string format = "text";

  CLI::App app(kAbout, "digitctl");
  app.set_version_flag("--version", absl::StrCat("digitctl ", Version()), "Print the version of this program");
  app.footer(kFooter);
  app.fallthrough();  // --server and --timeout also after the command
  app.require_subcommand(1);
  app.add_option("--server", flags.server, "Where digitd listens")
      ->envname("DIGIT_SERVER")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  app.add_option("--timeout", timeout, "For one answer, retries included: 10s, 500ms, 2m")
      ->type_name("TIME")
      ->check(CLI::Validator(CheckDuration, ""))
      ->capture_default_str();

  CLI::App* recognize = app.add_subcommand("recognize", "Say what digit each picture shows");
  recognize->footer(kFooter);
  recognize->add_option("FILE", flags.files, "Image files, folders, quoted patterns, or -")->required()->type_name("");
  recognize->add_option("-o,--output", format, "How to print: text, json (one object a line) or csv")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"text", "json", "csv"}))
      ->capture_default_str();
  recognize->add_option("--top-k", flags.top_k, "Also print the N most probable labels")
      ->type_name("N")
      ->check(CLI::Range(1, 1000));
  recognize->add_flag("--show", flags.show, "Draw the 28x28 picture that the model saw (text only)");
  recognize->add_flag("--timing", flags.timing, "Also print where the time went on the server");
  recognize->add_flag("--stream", flags.stream, "Use a stream for a single picture too");
  recognize->add_option("--model", flags.model, "Name of the model; default: the server's")->type_name("NAME");
  recognize->add_option("--model-version", flags.model_version, "Version of the model; default: the live one")
      ->type_name("VERSION");

  CLI::App* models = app.add_subcommand("models", "List what the server serves");
  models->footer(kModelsExamples);
  models->add_option("-o,--output", format, "How to print: text or json (one object a line)")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  app.add_option("--admin-token-file", flags.admin_token_file,
                 "File with the token for `model`, `feedback` and `train`, if the server wants one")
      ->envname("DIGIT_ADMIN_TOKEN_FILE")
      ->type_name("FILE");
  CLI::App* model =
      app.add_subcommand("model", "Reload a model, try a candidate, promote it, roll back, see how it does");
  model->footer(kModelExamples);
  model->require_subcommand(1);
  CLI::App* reload = model->add_subcommand("reload", "Read its file again and make it live when it passes the gate");
  reload->footer(kModelExamples);
  reload->add_option("NAME", flags.model, "Name of the model; default: the server's")->type_name("");
  reload->add_flag("--force", flags.force, "Also when the gate refuses it, or when it was rolled back before");
  reload->add_flag("--candidate", flags.candidate, "Load it beside what is live, for `shadow` and `promote`");
  reload->add_flag("--all", flags.all, "On every address that the server's name has, one after the other");
  CLI::App* shadow = model->add_subcommand("shadow", "Send copies of a share of the requests to the candidate");
  shadow->footer(kModelExamples);
  shadow->add_option("NAME", flags.model, "Name of the model; default: the server's")->type_name("");
  shadow->add_option("--share", flags.share, "Share of the requests, 0 to 1; 0 ends it")
      ->type_name("SHARE")
      ->check(CLI::Range(0.0, 1.0))
      ->required();
  CLI::App* promote = model->add_subcommand("promote", "Make the candidate live when it passes the gate");
  promote->footer(kModelExamples);
  promote->add_option("NAME", flags.model, "Name of the model; default: the server's")->type_name("");
  promote->add_option("--version", flags.model_version, "Another version; default: the candidate")
      ->type_name("VERSION");
  promote->add_flag("--force", flags.force, "Whatever the gate says");
  CLI::App* rollback = model->add_subcommand("rollback", "Make the version before the live one live again");
  rollback->footer(kModelExamples);
  rollback->add_option("NAME", flags.model, "Name of the model; default: the server's")->type_name("");
  CLI::App* stats = model->add_subcommand("stats", "Show what its versions answered, corrections of that, and drift");
  stats->footer(kModelExamples);
  stats->add_option("NAME", flags.model, "Name of the model; default: the server's")->type_name("");
  stats->add_option("-o,--output", format, "How to print: text or json")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  CLI::App* feedback = AddFeedbackCommand(&app, &flags, &format);
  CLI::App* train = AddTrainCommand(&app, &flags, &format);
  CLI::App* health = app.add_subcommand("health", "Exit 0 when the server takes requests, 1 when not");
  health->footer(kHealthExamples);
  CLI::App* version = app.add_subcommand("version", "Print the versions of this program and of the server");
  version->footer(kVersionExamples);
  BenchTexts bench_texts;
  CLI::App* bench = AddBenchCommand(&app, &bench_texts, &flags, &format);

  std::string command;
  try {
    app.parse(std::vector<std::string>(args.rbegin(), args.rend()));  // CLI11 wants them reversed
    command = app.get_subcommands().at(0)->get_name();
  } catch (const CLI::CallForHelp&) {
    if (*recognize) recognize->description(kRecognizeAbout);  // too long for the list of commands
    if (*bench) bench->description(kBenchAbout);
    return EarlyExit{kExitOk, app.help()};
  } catch (const CLI::CallForVersion& version) {
    return EarlyExit{kExitOk, absl::StrCat(version.what(), "\n")};
  } catch (const CLI::ParseError& error) {
    const std::vector<CLI::App*> parsed = app.get_subcommands();
    if (parsed.empty() && error.get_name() == "RequiredError") {
      const std::vector<std::string> unknown = app.remaining();
      const std::string what = unknown.empty() ? "a command is needed" : absl::StrCat("'", unknown[0], "' is unknown");
      return UsageError(
          absl::StrCat(what, "; the commands are recognize, models, model, feedback, train, health, version and bench"),
          "");
    }
    return UsageError(error.what(), parsed.empty() ? "" : parsed[0]->get_name());
  }
  flags.command = *recognize  ? Command::kRecognize
                  : *models   ? Command::kModels
                  : *reload   ? Command::kReload
                  : *rollback ? Command::kRollback
                  : *promote  ? Command::kPromote
                  : *shadow   ? Command::kShadow
                  : *stats    ? Command::kStats
                  : *feedback ? FeedbackCommandOf(*feedback)
                  : *train    ? TrainCommandOf(*train)
                  : *health   ? Command::kHealth
                  : *bench    ? Command::kBench
                              : Command::kVersion;
  flags.output = kFormats.at(format);
  absl::ParseDuration(timeout, &flags.timeout);
  if (*bench) {
    const absl::Status status = FinishBenchOptions(bench_texts, &flags.bench);
    if (!status.ok()) return UsageError(std::string(status.message()), command);
  }
  const std::string wrong = CheckFeedbackFlags(flags);
  if (!wrong.empty()) return UsageError(wrong, command);
  if (flags.show && flags.output != OutputFormat::kText) {
    return UsageError("--show draws for people: it goes with -o text only", command);
  }
  return flags;
}

}  // namespace digit
