#include "client/ctl/feedback/feedback_command.h"

#include <unistd.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "client/ctl/commands.h"
#include "client/ctl/feedback/export_folder.h"
#include "client/ctl/files.h"
#include "client/ctl/picture.h"
#include "client/ctl/table.h"

namespace digit {
namespace {

constexpr int kPage = 500;  // corrections; with pictures some 400 KB
constexpr char kNotADigit[] = "not a digit";

std::string StateOf(const v1::Feedback& feedback) {
  return absl::AsciiStrToLower(absl::StripPrefix(v1::FeedbackState_Name(feedback.state()), "FEEDBACK_STATE_"));
}

v1::FeedbackState StateNamed(const std::string& name) {
  v1::FeedbackState state = v1::FEEDBACK_STATE_UNSPECIFIED;
  v1::FeedbackState_Parse("FEEDBACK_STATE_" + absl::AsciiStrToUpper(name), &state);
  return state;
}

std::string TruthOf(const v1::Feedback& feedback) { return feedback.not_a_digit() ? kNotADigit : feedback.label(); }

// Empty: unknown.
std::string AnsweredOf(const v1::Feedback& feedback) {
  return feedback.answered_not_a_digit() ? kNotADigit : feedback.answered_label();
}

absl::Time TimeOf(const v1::Feedback& feedback) { return absl::FromUnixSeconds(feedback.created().seconds()); }

Row RowOf(const v1::Feedback& feedback) {
  const std::string answered = AnsweredOf(feedback);
  return {absl::StrCat(feedback.id()),
          StateOf(feedback),
          Printable(TruthOf(feedback)),
          answered.empty() ? "?" : Printable(answered),
          Printable(feedback.model()),
          feedback.version().empty() ? "?" : Printable(feedback.version()),
          Printable(feedback.source()),
          absl::FormatTime("%Y-%m-%d %H:%M:%S", TimeOf(feedback), absl::LocalTimeZone()),
          absl::StrCat(feedback.agreeing_sources())};
}

const Row kHeader = {"ID", "STATE", "LABEL", "ANSWERED", "MODEL", "VERSION", "SOURCE", "TIME", "SAY SO"};

template <typename List>
absl::StatusOr<std::string> FormatAsJson(const List& feedback) {
  std::string data;
  for (const v1::Feedback& one : feedback) {
    const absl::Status added = AppendJsonLine(one, &data);
    if (!added.ok()) return added;
  }
  return data;
}

template <typename List>
std::string FormatAsTable(const List& feedback, const std::function<std::string(const v1::Feedback&)>& below) {
  std::vector<Row> rows = {kHeader};
  for (const v1::Feedback& one : feedback) rows.push_back(RowOf(one));
  const std::vector<std::string> lines = FormatRows(rows);
  std::string table = lines[0];
  size_t line = 0;
  for (const v1::Feedback& one : feedback) absl::StrAppend(&table, lines[++line], below(one));
  return table;
}

template <typename List>
ExitCode Print(
    const List& feedback, OutputFormat format,
    const std::function<std::string(const v1::Feedback&)>& below = [](const v1::Feedback&) { return ""; }) {
  absl::StatusOr<std::string> data =
      format == OutputFormat::kJson ? FormatAsJson(feedback) : FormatAsTable(feedback, below);
  if (!data.ok()) return Fail(data.status());
  ExitCode code = kExitOk;
  PrintData(*data, &code);
  return code;
}

// Page by page, `limit` of them at most.
absl::StatusOr<std::vector<v1::Feedback>> ListAll(v1::ListFeedbackRequest request, size_t limit, Client* client) {
  std::vector<v1::Feedback> all;
  do {
    request.set_page_size(static_cast<int>(std::min<size_t>(limit - all.size(), kPage)));
    absl::StatusOr<v1::ListFeedbackResponse> response = client->ListFeedback(request);
    if (!response.ok()) return response.status();
    std::move(response->mutable_feedback()->begin(), response->mutable_feedback()->end(), std::back_inserter(all));
    request.set_page_token(response->next_page_token());
  } while (!request.page_token().empty() && all.size() < limit);
  return all;
}

// What the server answers for the picture now; an answer that is none is DATA_LOSS.
absl::Status AskWhatIsAnswered(const Flags& flags, const std::string& picture, Client* client,
                               v1::SubmitFeedbackRequest* request) {
  v1::RecognizeRequest recognize;
  recognize.set_model(flags.model);
  recognize.set_version(flags.model_version);
  recognize.add_images()->set_encoded(picture);
  const absl::StatusOr<v1::RecognizeResponse> answer = client->Recognize(recognize);
  if (!answer.ok()) return answer.status();
  if (answer->results_size() != 1 || !answer->results(0).has_prediction()) {
    return absl::DataLossError(answer->results_size() == 1 ? answer->results(0).error().message() : "no answer");
  }
  request->set_model(answer->model());
  request->set_version(answer->version());
  if (answer->results(0).prediction().verdict() == v1::VERDICT_NOT_A_DIGIT) {
    request->set_answered_not_a_digit(true);
  } else {
    request->set_answered_label(answer->results(0).prediction().label());
  }
  return absl::OkStatus();
}

// "correction 12: mnist 683d... answered 1, it is 7 (pending)"
std::string Describe(const v1::SubmitFeedbackResponse& response) {
  const v1::Feedback& feedback = response.feedback();
  const std::string answered = AnsweredOf(feedback), version = Printable(feedback.version());
  std::string line = absl::StrCat("correction ", feedback.id(), ": ", Printable(feedback.model()));
  if (!version.empty()) absl::StrAppend(&line, " ", version);
  if (!answered.empty()) absl::StrAppend(&line, " answered ", Printable(answered), ",");
  absl::StrAppend(&line, " it is ", Printable(TruthOf(feedback)), " (", StateOf(feedback), ")");
  return absl::StrCat(line, response.duplicate() ? ", as was said before\n" : "\n");
}

absl::StatusOr<std::vector<ExportedCorrection>> ToExport(const std::vector<v1::Feedback>& newest_first,
                                                         const v1::Model& model) {
  std::vector<std::string> labels;
  if (model.versions_size() > 0) labels.assign(model.versions(0).labels().begin(), model.versions(0).labels().end());
  if (labels.size() > kNotADigitClass) {
    return absl::FailedPreconditionError(absl::StrCat("model '", model.name(), "' has ", labels.size(),
                                                      " labels; MNIST's files hold at most ", int{kNotADigitClass}));
  }
  std::vector<ExportedCorrection> corrections;
  std::set<std::pair<std::string, std::string>> seen;  // pictures and what they show: several sources may say the same
  for (auto feedback = newest_first.rbegin(); feedback != newest_first.rend(); ++feedback) {
    const auto label = std::find(labels.begin(), labels.end(), feedback->label());
    if (!feedback->not_a_digit() && label == labels.end()) continue;  // of a time when the model had other labels
    if (!seen.emplace(feedback->pixels(), TruthOf(*feedback)).second) continue;
    corrections.push_back(
        {.id = feedback->id(),
         .pixels = feedback->pixels(),
         .label_index = feedback->not_a_digit() ? kNotADigitClass : static_cast<uint8_t>(label - labels.begin()),
         .state = StateOf(*feedback),
         .label = TruthOf(*feedback),
         .answered = AnsweredOf(*feedback),
         .model = feedback->model(),
         .version = feedback->version(),
         .source = feedback->source(),
         .time = absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", TimeOf(*feedback), absl::UTCTimeZone())});
  }
  return corrections;
}

}  // namespace

ExitCode RunFeedbackAdd(const Flags& flags, Client* client) {
  const std::string& file = flags.files[0];
  if (file == kStdin && isatty(STDIN_FILENO)) {
    Complain("'-' reads a picture from standard input, which is a terminal; use: digitctl feedback add - < img.png");
    return kExitUsage;
  }
  absl::StatusOr<std::string> picture = ReadImage(file);
  if (!picture.ok()) {
    Complain(absl::StrCat(file, ": ", picture.status().message()));
    return kExitSomeFailed;
  }
  const FeedbackOptions& options = flags.feedback;
  v1::SubmitFeedbackRequest request;
  request.set_model(flags.model);
  request.set_version(flags.model_version);
  request.set_source(options.source);
  if (options.not_a_digit) {
    request.set_not_a_digit(true);
  } else {
    request.set_label(options.label);
  }
  if (options.answered_not_a_digit) {
    request.set_answered_not_a_digit(true);
  } else if (!options.answered.empty()) {
    request.set_answered_label(options.answered);
  } else {
    const absl::Status asked = AskWhatIsAnswered(flags, *picture, client, &request);
    if (absl::IsDataLoss(asked)) {
      Complain(absl::StrCat(file, ": ", asked.message()));
      return kExitSomeFailed;
    }
    if (!asked.ok()) return Fail(asked);
  }
  request.mutable_image()->set_encoded(*std::move(picture));
  const absl::StatusOr<v1::SubmitFeedbackResponse> response = client->SubmitFeedback(request);
  if (!response.ok()) return Fail(response.status());
  std::string data = Describe(*response);
  if (flags.output == OutputFormat::kJson) {
    data.clear();
    const absl::Status formatted = AppendJsonLine(*response, &data);
    if (!formatted.ok()) return Fail(formatted);
  }
  ExitCode code = kExitOk;
  PrintData(data, &code);
  return code;
}

ExitCode RunFeedbackList(const Flags& flags, const Terminal& terminal, Client* client) {
  v1::ListFeedbackRequest request;
  request.set_model(flags.model);
  request.set_state(StateNamed(flags.feedback.state));
  request.set_include_pixels(flags.show);
  const auto all = ListAll(request, static_cast<size_t>(flags.feedback.limit), client);
  if (!all.ok()) return Fail(all.status());
  return Print(*all, flags.output, [&](const v1::Feedback& feedback) {
    return flags.show ? DrawPicture(feedback.pixels(), terminal.unicode, terminal.color) : std::string();
  });
}

ExitCode RunFeedbackExport(const Flags& flags, Client* client) {
  const absl::Status possible = CheckExportFolder(flags.feedback.out, flags.force);
  if (!possible.ok()) {
    Complain(possible.message());
    return kExitUsage;
  }
  const absl::StatusOr<v1::Model> model = client->GetModel(flags.model);
  if (!model.ok()) return Fail(model.status());
  const std::string state = flags.feedback.state.empty() ? "accepted" : flags.feedback.state;
  v1::ListFeedbackRequest request;
  request.set_model(model->name());
  request.set_state(StateNamed(state));
  request.set_include_pixels(true);
  const auto all = ListAll(request, std::numeric_limits<size_t>::max(), client);
  if (!all.ok()) return Fail(all.status());
  const auto corrections = ToExport(*all, *model);
  if (!corrections.ok()) return Fail(corrections.status());
  if (corrections->empty()) {
    Complain(absl::StrCat("nothing to export: no correction of model '", model->name(), "' is ", state));
    return kExitSomeFailed;
  }
  const absl::Status written = WriteExport(flags.feedback.out, flags.force, *corrections);
  if (!written.ok()) return Fail(written);
  ExitCode code = kExitOk;
  PrintData(absl::StrCat(corrections->size(), " pictures of ", all->size(), " corrections are in ",
                         Printable(flags.feedback.out), "\n"),
            &code);
  return code;
}

ExitCode RunFeedbackReview(const Flags& flags, Client* client) {
  v1::ReviewFeedbackRequest request;
  request.mutable_ids()->Add(flags.feedback.ids.begin(), flags.feedback.ids.end());
  request.set_state(flags.feedback.decision == "accept"   ? v1::FEEDBACK_STATE_ACCEPTED
                    : flags.feedback.decision == "reject" ? v1::FEEDBACK_STATE_REJECTED
                                                          : v1::FEEDBACK_STATE_PENDING);
  const absl::StatusOr<v1::ReviewFeedbackResponse> response = client->ReviewFeedback(request);
  if (!response.ok()) return Fail(response.status());
  return Print(response->feedback(), flags.output);
}

}  // namespace digit
