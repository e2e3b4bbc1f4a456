// digitctl: the command line client of digitd. The route: flags.h -> commands.h, recognize_command.h -> client/lib.
#include <signal.h>

#include <cstdio>
#include <utility>

#include "absl/strings/ascii.h"
#include "base/file.h"
#include "client/ctl/bench/bench_command.h"
#include "client/ctl/commands.h"
#include "client/ctl/feedback/feedback_command.h"
#include "client/ctl/flags.h"
#include "client/ctl/recognize_command.h"
#include "client/ctl/stats_command.h"
#include "client/ctl/terminal.h"
#include "client/ctl/train/train_command.h"
#include "client/lib/client.h"

namespace digit {
namespace {

ExitCode Run(const Flags& flags) {
  const Terminal terminal = DetectTerminal();
  ClientOptions options{.server = flags.server, .timeout = flags.timeout};
  if (!flags.admin_token_file.empty()) {
    const absl::StatusOr<std::string> token = ReadFile(flags.admin_token_file, /*max_bytes=*/4096);
    if (!token.ok()) {
      Complain(token.status().message());
      return kExitUsage;
    }
    options.admin_token = std::string(absl::StripAsciiWhitespace(token->substr(0, token->find('\n'))));
  }
  if (flags.command == Command::kReload && flags.all) return RunReloadAll(flags, options);
  absl::StatusOr<std::unique_ptr<Client>> client = Client::Create(std::move(options));
  if (!client.ok()) {
    Complain(client.status().message());
    return kExitUsage;
  }
  switch (flags.command) {
    case Command::kRecognize:
      return RunRecognize(flags, terminal, client->get());
    case Command::kModels:
      return RunModels(flags, client->get());
    case Command::kReload:
      return RunReload(flags, client->get());
    case Command::kRollback:
      return RunRollback(flags, client->get());
    case Command::kPromote:
      return RunPromote(flags, client->get());
    case Command::kShadow:
      return RunShadow(flags, client->get());
    case Command::kStats:
      return RunStats(flags, client->get());
    case Command::kFeedbackAdd:
      return RunFeedbackAdd(flags, client->get());
    case Command::kFeedbackList:
      return RunFeedbackList(flags, terminal, client->get());
    case Command::kFeedbackExport:
      return RunFeedbackExport(flags, client->get());
    case Command::kFeedbackReview:
      return RunFeedbackReview(flags, client->get());
    case Command::kTrain:
      return RunTrain(flags, terminal, client->get());
    case Command::kTrainWatch:
      return RunTrainWatch(flags, terminal, client->get());
    case Command::kTrainCancel:
      return RunTrainCancel(flags, client->get());
    case Command::kTrainList:
      return RunTrainList(flags, client->get());
    case Command::kHealth:
      return RunHealth(client->get());
    case Command::kVersion:
      return RunVersion(client->get());
    case Command::kBench:
      return RunBench(flags, terminal, client->get());
  }
  return kExitUsage;
}

}  // namespace
}  // namespace digit

int main(int argc, char** argv) {
  digit::OpenStandardDescriptors();
  signal(SIGPIPE, SIG_IGN);  // a reader that has gone shows as EPIPE, which ends us quietly (PrintData)
  auto parsed = digit::ParseFlags({argv + 1, argv + argc});
  if (const auto* exit = std::get_if<digit::EarlyExit>(&parsed)) {
    if (exit->code != digit::kExitOk) {
      std::fputs(exit->text.c_str(), stderr);
      return exit->code;
    }
    digit::ExitCode code = digit::kExitOk;
    digit::PrintData(exit->text, &code);
    return code;
  }
  return digit::Run(std::get<digit::Flags>(parsed));
}
