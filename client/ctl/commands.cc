#include "client/ctl/commands.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/build_info.h"
#include "base/standard_output.h"
#include "client/ctl/table.h"
#include "client/ctl/terminal.h"
#include "client/lib/server_address.h"

namespace digit {
namespace {

// "copies of 10 % of the requests: 950 images, 3 with another answer (2 of 7, 1 of 9), 50 skipped, 41 us an image and
// not 40"
template <typename Labels>
std::string FormatShadow(const v1::Shadow& shadow, const Labels& labels) {
  int64_t others = 0;
  std::string by_label;
  for (int i = 0; i < shadow.disagreements_size() && i < labels.size(); ++i) {
    if (shadow.disagreements(i) == 0) continue;
    others += shadow.disagreements(i);
    absl::StrAppend(&by_label, by_label.empty() ? "" : ", ", shadow.disagreements(i), " of ", Printable(labels.Get(i)));
  }
  std::string out = absl::StrFormat("copies of %g %% of the requests: %d images, %d with another answer",
                                    shadow.share() * 100, shadow.images(), others);
  if (!by_label.empty()) absl::StrAppend(&out, " (", by_label, ")");
  if (shadow.skipped() > 0) absl::StrAppend(&out, ", ", shadow.skipped(), " skipped");
  if (shadow.failed() > 0) absl::StrAppend(&out, ", ", shadow.failed(), " failed");
  if (shadow.images() > 0) {
    absl::StrAppendFormat(&out, ", %.0f us an image and not %.0f", shadow.candidate_compute_micros(),
                          shadow.live_compute_micros());
  }
  return out;
}

std::string StateOf(const v1::ModelVersion& version) {
  return absl::AsciiStrToLower(absl::StripPrefix(v1::ModelState_Name(version.state()), "MODEL_STATE_"));
}

Row ModelRow(const v1::Model& model, const v1::ModelVersion& version) {
  std::string accuracy;
  for (const v1::ModelAccuracy& a : version.accuracy()) {
    absl::StrAppendFormat(&accuracy, "%s%.2f %% of %s", accuracy.empty() ? "" : ", ", a.accuracy() * 100,
                          Printable(a.set()));
  }
  std::string state = StateOf(version);
  if (version.has_shadow()) absl::StrAppend(&state, " (", FormatShadow(version.shadow(), version.labels()), ")");
  return {absl::StrCat(Printable(model.name()), model.is_default() ? " (default)" : ""),
          Printable(version.version()),
          state,
          Printable(version.engine()),
          absl::StrCat(version.labels_size()),
          accuracy.empty() ? "not stated" : accuracy};
}

// "mnist 1f3a..."; the server lists the live version first.
std::string LiveOf(const v1::Model& model) {
  return absl::StrCat(Printable(model.name()), " ",
                      model.versions_size() > 0 ? Printable(model.versions(0).version()) : "");
}

}  // namespace

void Complain(absl::string_view message) {
  std::fputs(absl::StrCat("digitctl: ", Printable(message), "\n").c_str(), stderr);
}

ExitCode ExitCodeOf(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ? kExitUnreachable : kExitRefused;
}

ExitCode Fail(const absl::Status& status) {
  Complain(status.message());
  return ExitCodeOf(status);
}

bool PrintData(absl::string_view data, ExitCode* code) {
  const absl::Status status = WriteToStandardOutput(data);
  if (status.ok()) return true;
  *code = absl::IsAborted(status) ? kExitOk : kExitRefused;
  if (*code != kExitOk) Complain(status.message());
  return false;
}

absl::Status AppendJsonLine(const google::protobuf::Message& message, std::string* out) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  if (!google::protobuf::util::MessageToJsonString(message, out, options).ok()) {
    return absl::DataLossError("the server's answer does not convert to JSON");
  }
  *out += "\n";
  return absl::OkStatus();
}

std::string FormatModels(const v1::ListModelsResponse& response) {
  std::vector<Row> rows = {{"MODEL", "VERSION", "STATE", "ENGINE", "CLASSES", "ACCURACY"}};
  std::string reasons;  // below the table: they are as long as a line
  for (const v1::Model& model : response.models()) {
    for (const v1::ModelVersion& version : model.versions()) {
      rows.push_back(ModelRow(model, version));
      if (version.state_reason().empty()) continue;
      absl::StrAppend(&reasons, Printable(model.name()), " ", Printable(version.version()), " is ", StateOf(version),
                      ": ", Printable(version.state_reason()), "\n");
    }
  }
  return absl::StrCat(FormatTable(rows), reasons);
}

ExitCode RunModels(const Flags& flags, Client* client) {
  const absl::StatusOr<v1::ListModelsResponse> response = client->ListModels();
  if (!response.ok()) return Fail(response.status());
  std::string data;
  if (flags.output == OutputFormat::kJson) {
    for (const v1::Model& model : response->models()) {
      const absl::Status formatted = AppendJsonLine(model, &data);
      if (!formatted.ok()) return Fail(formatted);
    }
  } else {
    data = FormatModels(*response);
  }
  ExitCode code = kExitOk;
  PrintData(data, &code);
  return code;
}

namespace {

// What the gate compared; empty when it was not asked.
std::string GateLine(const std::string& gate) {
  return gate.empty() ? "" : absl::StrCat("  gate: ", Printable(gate), "\n");
}

// "mnist 2 is live\n  gate: ...\n", or what there is to say instead.
std::string FormatReload(const v1::ReloadModelResponse& response, bool candidate) {
  const std::string live = LiveOf(response.model());
  if (!response.changed()) return absl::StrCat(live, " is live, and its file has not changed\n");
  std::string state = " is live\n", version = live;
  for (const v1::ModelVersion& known : response.model().versions()) {
    if (!candidate || known.state() != v1::MODEL_STATE_CANDIDATE) continue;
    version = absl::StrCat(Printable(response.model().name()), " ", Printable(known.version()));
    state = absl::StrCat(" is the candidate beside ", Printable(response.model().versions(0).version()), "\n");
  }
  return absl::StrCat(version, state, GateLine(response.gate()));
}

}  // namespace

ExitCode RunReload(const Flags& flags, Client* client) {
  const absl::StatusOr<v1::ReloadModelResponse> response =
      client->ReloadModel(flags.model, flags.force, flags.candidate);
  if (!response.ok()) return Fail(response.status());
  ExitCode code = kExitOk;
  PrintData(FormatReload(*response, flags.candidate), &code);
  return code;
}

ExitCode RunReloadAll(const Flags& flags, const ClientOptions& options) {
  const absl::StatusOr<std::vector<std::string>> servers = ResolveServers(options.server);
  if (!servers.ok()) {
    const ExitCode code = Fail(servers.status());
    return absl::IsInvalidArgument(servers.status()) ? kExitUsage : code;
  }
  ExitCode worst = kExitOk;
  for (const std::string& server : *servers) {
    ClientOptions one = options;
    one.server = server;
    absl::StatusOr<std::unique_ptr<Client>> client = Client::Create(std::move(one));
    const absl::StatusOr<v1::ReloadModelResponse> response =
        client.ok() ? (*client)->ReloadModel(flags.model, flags.force, flags.candidate) : client.status();
    if (!response.ok()) {
      Complain(absl::StrCat(server, ": ", response.status().message()));
      worst = std::max(worst, ExitCodeOf(response.status()));
    } else if (!PrintData(absl::StrCat(server, ": ", FormatReload(*response, flags.candidate)), &worst)) {
      return worst;
    }
  }
  return worst;
}

ExitCode RunPromote(const Flags& flags, Client* client) {
  const absl::StatusOr<v1::PromoteModelResponse> response =
      client->PromoteModel(flags.model, flags.model_version, flags.force);
  if (!response.ok()) return Fail(response.status());
  ExitCode code = kExitOk;
  PrintData(absl::StrCat(LiveOf(response->model()), " is live\n", GateLine(response->gate())), &code);
  return code;
}

ExitCode RunShadow(const Flags& flags, Client* client) {
  const absl::StatusOr<v1::ShadowModelResponse> response = client->ShadowModel(flags.model, flags.share);
  if (!response.ok()) return Fail(response.status());
  ExitCode code = kExitOk;
  const std::string name = Printable(response->model().name());
  PrintData(flags.share > 0
                ? absl::StrFormat("%s: copies of %g %% of the requests go to the candidate, as far as there is "
                                  "capacity to spare; see digitctl models\n",
                                  name, flags.share * 100)
                : absl::StrCat(name, ": no copies of requests go to the candidate\n"),
            &code);
  return code;
}

ExitCode RunRollback(const Flags& flags, Client* client) {
  const absl::StatusOr<v1::RollbackModelResponse> response = client->RollbackModel(flags.model);
  if (!response.ok()) return Fail(response.status());
  ExitCode code = kExitOk;
  PrintData(absl::StrCat(LiveOf(response->model()), " is live again\n"), &code);
  if (response->model().versions_size() > 0 && !response->model().versions(0).state_reason().empty()) {
    Complain(absl::StrCat("but it ", response->model().versions(0).state_reason()));  // "will not survive a restart"
  }
  return code;
}

ExitCode RunHealth(Client* client) {
  const absl::StatusOr<bool> serving = client->IsServing();
  if (!serving.ok()) {
    Fail(serving.status());
    return kExitSomeFailed;
  }
  ExitCode code = kExitOk;
  PrintData(*serving ? "serving\n" : "not serving\n", &code);
  return *serving ? code : kExitSomeFailed;
}

ExitCode RunVersion(Client* client) {
  ExitCode code = kExitOk;
  if (!PrintData(absl::StrCat("digitctl ", Version(), "\n"), &code)) return code;
  const absl::StatusOr<v1::ListModelsResponse> response = client->ListModels();
  if (!response.ok()) return Fail(response.status());
  const std::string version = response->server_version().empty() ? "of unknown version" : response->server_version();
  PrintData(absl::StrCat("digitd ", Printable(version), " at ", client->server(), "\n"), &code);
  return code;
}

}  // namespace digit
