#include "daemon/app/flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "base/build_info.h"
#include "base/standard_output.h"

namespace digit {
namespace {

constexpr char kHelp[] = R"(Serves handwritten-digit recognition over gRPC.

Examples:
  digitd --model mnist.pt
  digitd --model mnist.pt --listen 0.0.0.0:50051 --replicas 4
  digitd --model digits=mnist.pt --model fashion=fashion.pt
  digitd --model-dir models           (models/NAME/N/model.pt; watches for new ones)
  digitctl recognize img.png          (ask it)
)";

constexpr char kFooter[] = R"(
Every flag can also be set in the environment (DIGITD_LISTEN for --listen; DIGITD_MODEL holds one model) and in a file
(--config); a flag wins over the environment, the environment over the file. SIGTERM and SIGINT finish what was accepted, then exit 0.

Exit codes: 0 stopped or nothing to do, 1 failure, 2 wrong flags, 3 a model could not be loaded, 4 the address is taken.)";

// A duration flag: "5ms", "20s"; a plain number is refused, so that nobody has to guess the unit.
void AddDuration(CLI::App* app, const std::string& name, absl::Duration* value, const std::string& help) {
  app->add_option_function<std::string>(
         name,
         [name, value](const std::string& text) {
           if (!absl::ParseDuration(text, value)) {
             throw CLI::ValidationError(name, "'" + text + "' is not a duration such as 5ms or 20s");
           }
         },
         help + " [" + absl::FormatDuration(*value) + "]")
      ->type_name("DURATION");
}

std::string EnvironmentNameOf(const CLI::Option& option) {
  return "DIGITD_" + absl::AsciiStrToUpper(absl::StrReplaceAll(option.get_lnames().front(), {{"-", "_"}}));
}

void AddOptions(CLI::App* app, DaemonConfig* config) {
  app->add_option("--model", config->models, "Model to serve, may be repeated; the first is the default")
      ->type_name("[NAME=]FILE")
      ->allow_extra_args(false);
  app->add_option("--model-dir", config->model_dir,
                  "Folder with versions of models, NAME/N/model.pt; the highest N of each is live")
      ->type_name("DIR");
  app->add_option("--model-versions", config->model_versions,
                  "What of --model-dir is loaded: latest (default), all, or numbers such as 3,5; may be repeated")
      ->type_name("[NAME=]WHICH")
      ->allow_extra_args(false);
  app->add_option("--listen", config->listen, "Address of the gRPC server; port 0 picks one and says it")
      ->type_name("HOST:PORT");
  app->add_option("--metrics-listen", config->metrics_listen,
                  "Address for Prometheus to scrape, http://HOST:PORT/metrics (usually port 9464; IPv4); default: off")
      ->type_name("HOST:PORT");
  app->add_option(
         "--devices", config->devices,
         "cpu, cuda:0, or auto, which is every GPU and the CPU where there is none; a list with commas, such as "
         "auto,cpu: the CPU then takes what it can do before a busy GPU could")
      ->type_name("LIST");
  app->add_option("--replicas", config->replicas, "Executors per device; 0: one per usable core, two for each GPU")
      ->type_name("N");
  app->add_option("--engine", config->engine, "auto, cpu or torch")->type_name("ENGINE");
  app->add_option("--max-batch-size", config->max_batch_size, "Images that run together at most on a CPU")
      ->type_name("N");
  app->add_option("--max-gpu-batch-size", config->max_gpu_batch_size, "Images that run together at most on a GPU")
      ->type_name("N");
  AddDuration(app, "--max-queue-delay", &config->max_queue_delay, "How long a part-filled batch may wait for company");
  app->add_option(
         "--allowed-batch-sizes", config->allowed_batch_sizes,
         "On a CPU, pad smaller batches with blanks to one of these, which end with --max-batch-size; default: "
         "any size")
      ->type_name("N,N,...")
      ->delimiter(',');
  AddDuration(app, "--max-queue-wait", &config->max_queue_wait,
              "Refuse what would wait longer, with the time to retry after");
  app->add_option("--max-queued-images", config->max_queued_images, "Images that may wait, per model")->type_name("N");
  app->add_option("--max-images-per-call", config->max_images_per_call, "Images in one message")->type_name("N");
  app->add_option("--max-unanswered-images", config->max_unanswered_images, "Images in flight in one stream")
      ->type_name("N");
  app->add_option("--max-message-bytes", config->max_message_bytes, "Size of one message")->type_name("BYTES");
  app->add_option("--decode-threads", config->decode_threads, "Threads that decode pictures; 0: one per usable core")
      ->type_name("N");
  AddDuration(app, "--drain-timeout", &config->drain_timeout, "How long to wait for accepted requests when stopping");
  app->add_option("--log-level", config->log_level, "debug, info, warn, error or off")->type_name("LEVEL");
  app->add_option("--watch", config->watch, "Reload a model when its file changes: true or false")->type_name("BOOL");
  app->add_option("--gate-data", config->gate_data,
                  "Folder with MNIST's files: a new version must not be worse on their validation images")
      ->type_name("[NAME=]FOLDER")
      ->allow_extra_args(false);
  app->add_option("--data-dir", config->data_dir,
                  "Folder of such folders by name; that of a model's name is its gate data")
      ->type_name("DIR");
  app->add_option("--require-digest", config->require_digest,
                  "File with the SHA-256 of every model that may be loaded, as sha256sum prints them")
      ->type_name("FILE");
  AddDuration(app, "--probation", &config->probation,
              "Roll back a version whose engines fail within this time after it went live");
  app->add_option("--state-dir", config->state_dir,
                  "Folder for what must survive a restart; default: $XDG_STATE_HOME/digitd")
      ->type_name("DIR");
  app->add_option("--trainer", config->trainer, "Program that trains; default: digit-train beside this program")
      ->type_name("FILE");
  app->add_option("--trainer-memory", config->trainer_memory,
                  "Memory that it may take; 0: three quarters of what the machine and the cgroup have left")
      ->type_name("BYTES");
  app->add_option("--max-feedback", config->max_feedback, "Corrections that are kept at most")->type_name("N");
  app->add_option("--max-feedback-per-source", config->max_feedback_per_source,
                  "Of these, those of one source that nobody has reviewed")
      ->type_name("N");
  app->add_option("--feedback-agreement", config->feedback_agreement,
                  "Accept a correction without review once N sources agree; 0: never. Sources are what callers claim")
      ->type_name("N");
  app->add_option("--admin-token-file", config->admin_token_file,
                  "File with the token that admin calls need: reload, rollback, promote, shadow, train, cancel, "
                  "reading and reviewing feedback; without it they work on loopback only")
      ->type_name("FILE");
  app->add_flag("--access-log", config->access_log,
                "Log a line for each answered Recognize call and stream message, with where its time went");
  app->add_flag("--reflection", config->reflection, "Serve grpc.reflection.v1alpha, for tools such as grpcurl");
  app->set_config("--config", "", "Read flags from this file, lines of key = value")->type_name("FILE");
}

// CLI11 gives the file precedence over its own envname(); placing the environment's values on the command line, for
// flags that are not there, keeps the order that the header promises.
std::vector<std::string> WithEnvironment(const CLI::App& app, int argc, char** argv) {
  std::vector<std::string> args(argv + 1, argv + argc);
  const auto is_given = [&args](const std::string& flag) {
    return std::any_of(args.begin(), args.end(),
                       [&](const std::string& arg) { return arg == flag || arg.rfind(flag + "=", 0) == 0; });
  };
  std::vector<std::string> from_environment;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_lnames().empty() || (option->get_expected_max() == 0 && !option->get_configurable())) continue;
    const std::string flag = "--" + option->get_lnames().front();
    const char* value = std::getenv(EnvironmentNameOf(*option).c_str());
    if (value != nullptr && *value != '\0' && !is_given(flag)) from_environment.push_back(flag + "=" + value);
  }
  args.insert(args.begin(), from_environment.begin(), from_environment.end());
  return args;
}

// What to say of arguments that belong to no flag; `message` is CLI11's.
std::string Unexpected(const std::vector<std::string>& arguments, const std::string& message) {
  for (const std::string& argument : arguments) {
    if (argument.empty() || argument.front() == '-') return message;
  }
  return absl::StrCat("'", arguments.front(),
                      "' belongs to no flag; each model is named by a --model of its own: --model ", arguments.front());
}

// What was asked for, to standard output; the exit code.
int Print(const std::string& text) {
  const absl::Status status = WriteToStandardOutput(text);
  if (status.ok() || absl::IsAborted(status)) return kExitOk;
  std::cerr << "digitd: " << status.message() << "\n";
  return kExitFailure;
}

}  // namespace

ParsedFlags ParseFlags(int argc, char** argv) {
  ParsedFlags parsed;
  bool print_config = false, version = false;
  CLI::App app(kHelp, "digitd");
  app.footer(kFooter);
  app.option_defaults()->always_capture_default();
  app.get_formatter()->column_width(34);
  app.allow_config_extras(false);
  AddOptions(&app, &parsed.config);
  app.add_flag("--print-config", print_config, "Show the resulting settings and exit")->configurable(false);
  app.add_flag("--version", version, "Show the version and exit")->configurable(false);
  try {
    std::vector<std::string> args = WithEnvironment(app, argc, argv);
    std::reverse(args.begin(), args.end());  // as CLI11 wants a vector
    app.parse(std::move(args));
  } catch (const CLI::Success& e) {
    std::ostringstream help;
    app.exit(e, help, std::cerr);
    parsed.exit_code = Print(help.str());
    return parsed;
  } catch (const CLI::ExtrasError& e) {
    std::cerr << "digitd: " << Unexpected(app.remaining(), e.what()) << "\nTry: digitd --help\n";
    parsed.exit_code = kExitUsage;
    return parsed;
  } catch (const CLI::ConfigError& e) {
    const std::string setting = absl::StrReplaceAll(e.what(), {{"INI was not able to parse ", ""}});
    std::cerr << "digitd: " << app.get_config_ptr()->as<std::string>() << ": '" << setting
              << "' is no setting; a line is KEY = VALUE, with the flags without -- as keys\n"
              << "Try: digitd --model FILE --print-config\n";
    parsed.exit_code = kExitUsage;
    return parsed;
  } catch (const CLI::ParseError& e) {
    std::cerr << "digitd: " << e.what() << "\nTry: digitd --help\n";
    parsed.exit_code = kExitUsage;
    return parsed;
  }
  if (version) {
    parsed.exit_code = Print(absl::StrCat("digitd ", absl::StripPrefix(BuildId(), "digit "), "\n"));
    return parsed;
  }
  const absl::Status status = Validate(parsed.config);
  if (!status.ok()) {
    std::cerr << "digitd: " << status.message() << "\nTry: digitd --help\n";
    parsed.exit_code = kExitUsage;
  } else if (print_config) {
    parsed.exit_code = Print(FormatConfig(parsed.config));
  }
  return parsed;
}

}  // namespace digit
