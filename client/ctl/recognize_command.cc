#include "client/ctl/recognize_command.h"

#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/ctl/commands.h"
#include "client/ctl/files.h"
#include "client/ctl/output.h"

namespace digit {
namespace {

constexpr int kMaxNameWidth = 40;  // columns; a longer name pushes its own row only

// Failures of the request and not of one picture: they would repeat for every file.
bool IsFatal(const absl::Status& status) {
  return absl::IsNotFound(status) || absl::IsInvalidArgument(status) || absl::IsFailedPrecondition(status) ||
         absl::IsPermissionDenied(status) || absl::IsUnauthenticated(status) || absl::IsUnimplemented(status);
}

class RecognizeRun {
 public:
  RecognizeRun(const Flags& flags, const Terminal& terminal, Client* client, std::vector<std::string> files)
      : flags_(flags),
        client_(client),
        files_(std::move(files)),
        progress_(terminal, static_cast<int64_t>(files_.size())) {
    style_ = {.color = terminal.color, .unicode = terminal.unicode};
    if (files_.size() > 1) {
      for (const std::string& file : files_) {
        style_.name_width = std::max(style_.name_width, std::min(DisplayWidth(Printable(file)), kMaxNameWidth));
      }
    }
  }

  ExitCode Run() {
    if (flags_.output == OutputFormat::kCsv && !PrintData(FormatCsvHeader(csv_), &code_)) return code_;
    const absl::Status status = files_.size() == 1 && !flags_.stream ? RunOne() : RunStream();
    progress_.Clear();
    if (output_gone_) return code_;
    if (!status.ok()) {
      if (files_.size() > 1) Complain(absl::StrCat("stopped after ", answered_, " of ", files_.size(), " files"));
      return Fail(status);
    }
    if (failed_ > 0 && files_.size() > 1) Complain(absl::StrCat(failed_, " of ", files_.size(), " files failed"));
    if (unanswered_) return kExitUnreachable;
    return failed_ > 0 ? kExitSomeFailed : kExitOk;
  }

 private:
  absl::Status RunOne() {
    absl::StatusOr<v1::RecognizeRequest> request = RequestFor(files_[0]);
    if (!request.ok()) {
      PrintFailure(request.status());
      return absl::OkStatus();
    }
    absl::StatusOr<v1::RecognizeResponse> response = client_->Recognize(*request);
    if (!response.ok()) return response.status();
    PrintAnswer(*response);
    return absl::OkStatus();
  }

  absl::Status RunStream() {
    size_t next = 0;
    absl::Status fatal;
    const absl::Status status = client_->RecognizeStream(
        [&]() -> std::optional<absl::StatusOr<v1::RecognizeRequest>> {
          if (next == files_.size()) return std::nullopt;
          absl::StatusOr<v1::RecognizeRequest> request = RequestFor(files_[next++]);
          // A code that is not fatal, whatever the file's problem is.
          if (!request.ok()) return absl::DataLossError(request.status().message());
          return request;
        },
        [&](absl::StatusOr<v1::RecognizeResponse> answer) {
          if (!answer.ok() && IsFatal(answer.status())) {
            fatal = answer.status();
            return false;
          }
          unanswered_ = unanswered_ || (!answer.ok() && ExitCodeOf(answer.status()) == kExitUnreachable);
          progress_.Clear();
          answer.ok() ? PrintAnswer(*answer) : PrintFailure(answer.status());
          progress_.Advance();
          return !output_gone_;
        });
    return fatal.ok() ? status : fatal;
  }

  absl::StatusOr<v1::RecognizeRequest> RequestFor(const std::string& file) const {
    absl::StatusOr<std::string> bytes = ReadImage(file);
    if (!bytes.ok()) return bytes.status();
    v1::RecognizeRequest request;
    request.set_model(flags_.model);
    request.set_version(flags_.model_version);
    request.add_images()->set_encoded(*std::move(bytes));
    request.mutable_options()->set_include_pixels(flags_.show);
    request.mutable_options()->set_include_timing(flags_.timing);
    return request;
  }

  void PrintAnswer(const v1::RecognizeResponse& response) {
    FileResult result;
    result.file = files_[answered_];
    result.model = response.model();
    result.version = response.version();
    if (response.results_size() != 1) {
      result.error = absl::StrCat("the server answered with ", response.results_size(), " results for one picture");
    } else if (!response.results(0).has_prediction()) {
      result.error = response.results(0).error().message();
      if (result.error.empty()) result.error = v1::ErrorReason_Name(response.results(0).error().reason());
    } else {
      const v1::Prediction& prediction = response.results(0).prediction();
      result.label = prediction.label();
      result.confidence = prediction.confidence();
      result.probabilities.assign(prediction.probabilities().begin(), prediction.probabilities().end());
      result.verdict = absl::AsciiStrToLower(absl::StripPrefix(v1::Verdict_Name(prediction.verdict()), "VERDICT_"));
      result.pixels = response.results(0).pixels();
      result.top = TopOf(result);
    }
    if (response.has_timing()) {
      const v1::Timing& t = response.timing();
      result.timing = TimingResult{t.decode_micros(), t.queue_micros(), t.compute_micros(),
                                   t.batch_size(),    t.executor(),     t.engine()};
    }
    Print(result);
  }

  void PrintFailure(const absl::Status& status) {
    FileResult result;
    result.file = files_[answered_];
    result.error = std::string(status.message());
    Print(result);
  }

  // The row of the next file in order.
  void Print(const FileResult& result) {
    ++answered_;
    if (!result.error.empty()) ++failed_;
    std::string row;
    switch (flags_.output) {
      case OutputFormat::kJson:
        row = FormatJson(result);
        break;
      case OutputFormat::kCsv:
        row = FormatCsv(result, csv_);
        break;
      case OutputFormat::kText:
        if (!result.error.empty()) return Complain(absl::StrCat(result.file, ": ", result.error));
        row = FormatText(result, style_);
        break;
    }
    output_gone_ = !PrintData(row, &code_);
  }

  std::vector<Candidate> TopOf(const FileResult& result) {
    const std::vector<float>& p = result.probabilities;
    const size_t k = std::min(static_cast<size_t>(flags_.top_k), p.size());
    if (k == 0) return {};
    std::vector<int> order(p.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&p](int a, int b) { return p[a] > p[b]; });
    const std::vector<std::string>& labels = LabelsOf(result.model, result.version);
    std::vector<Candidate> top;
    for (size_t i = 0; i < k; ++i) {
      const bool named = labels.size() == p.size();
      top.push_back({named ? labels[order[i]] : absl::StrCat("class ", order[i]), p[order[i]]});
    }
    return top;
  }

  // The labels of a model version: an answer carries only the best one. Asked for once, and again when the version
  // changes under way; empty when the server does not tell.
  const std::vector<std::string>& LabelsOf(const std::string& model, const std::string& version) {
    if (labels_of_ == std::make_pair(model, version)) return labels_;
    labels_of_ = {model, version};
    labels_.clear();
    const absl::StatusOr<v1::Model> found = client_->GetModel(model);
    if (!found.ok()) return labels_;
    for (const v1::ModelVersion& v : found->versions()) {
      if (v.version() == version) labels_.assign(v.labels().begin(), v.labels().end());
    }
    return labels_;
  }

  const Flags& flags_;
  Client* const client_;
  const std::vector<std::string> files_;
  const CsvColumns csv_{flags_.top_k, flags_.timing};
  TextStyle style_;
  ProgressBar progress_;
  std::pair<std::string, std::string> labels_of_;
  std::vector<std::string> labels_;
  size_t answered_ = 0;
  size_t failed_ = 0;
  bool unanswered_ = false;  // some picture got no answer, in time or at all
  bool output_gone_ = false;
  ExitCode code_ = kExitOk;  // when output_gone_
};

}  // namespace

ExitCode RunRecognize(const Flags& flags, const Terminal& terminal, Client* client) {
  absl::StatusOr<std::vector<std::string>> files = ExpandFiles(flags.files);
  if (!files.ok()) {
    Complain(files.status().message());
    return kExitUsage;
  }
  if (std::count(files->begin(), files->end(), kStdin) != 0 && isatty(STDIN_FILENO)) {
    Complain("'-' reads a picture from standard input, which is a terminal; use: digitctl recognize - < img.png");
    return kExitUsage;
  }
  return RecognizeRun(flags, terminal, client, *std::move(files)).Run();
}

}  // namespace digit
