// The small commands, and what all commands share.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/ctl/flags.h"
#include "client/lib/client.h"
#include "google/protobuf/message.h"

namespace digit {

// "digitctl: MESSAGE" on standard error.
void Complain(absl::string_view message);

// The exit code that --help promises for a call that ended with `status`, which is not OK.
ExitCode ExitCodeOf(const absl::Status& status);

// Prints `status` and gives its exit code.
ExitCode Fail(const absl::Status& status);

// Writes data and flushes, so that a reader sees each row at once. False: nobody can read any more; *code is then how
// to exit: kExitOk when the reader has gone (it had all it wanted), else kExitRefused, having said why.
bool PrintData(absl::string_view data, ExitCode* code);

// One line, with all fields but absent messages.
absl::Status AppendJsonLine(const google::protobuf::Message& message, std::string* out);

ExitCode RunModels(const Flags& flags, Client* client);
ExitCode RunReload(const Flags& flags, Client* client);
// On every address of the server's name; a line for each, and the worst one's exit code.
ExitCode RunReloadAll(const Flags& flags, const ClientOptions& options);
ExitCode RunRollback(const Flags& flags, Client* client);
ExitCode RunPromote(const Flags& flags, Client* client);
ExitCode RunShadow(const Flags& flags, Client* client);
ExitCode RunHealth(Client* client);
ExitCode RunVersion(Client* client);

// The table of `models`; pure.
std::string FormatModels(const v1::ListModelsResponse& response);

}  // namespace digit
