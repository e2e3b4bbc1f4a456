#include "client/ctl/stats_command.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/ctl/commands.h"
#include "client/ctl/output.h"
#include "client/ctl/table.h"
#include "client/ctl/terminal.h"

namespace digit {
namespace {

constexpr int kMaxMatrixLabels = 20;  // beyond that the most frequent confusions are listed
constexpr size_t kMaxListed = 10;

std::string Share(int64_t part, int64_t whole) {
  return whole == 0 ? "-" : FormatPercent(static_cast<double>(part) / static_cast<double>(whole));
}

std::string FormatAnswers(const v1::AnswerStats& answers) {
  if (answers.images() == 0) return absl::StrCat("none yet; blank pictures: ", answers.no_digit());
  const int64_t not_a_digit = answers.classes_size() > 0 ? answers.classes(answers.classes_size() - 1) : 0;
  return absl::StrCat(answers.images(), ", mean confidence ", FormatPercent(answers.mean_confidence()), ", unsure ",
                      Share(answers.unsure(), answers.images()), ", not a digit ", Share(not_a_digit, answers.images()),
                      "; blank pictures: ", answers.no_digit());
}

std::string FormatDrift(const v1::VersionStats& version) {
  if (!version.has_latest()) return "unknown: too few answers yet";
  const char* reading = version.drift() < 0.1 ? "none" : version.drift() <= 0.25 ? "some" : "large";
  return absl::StrFormat("%.3f (%s): the last %d answers against the first %d", version.drift(), reading,
                         version.latest().images(), version.reference().images());
}

// The shares of the classes at first and now.
std::string FormatShares(const v1::VersionStats& version) {
  std::vector<Row> rows = {{"  class"}, {"  at first"}, {"  now"}};
  for (int i = 0; i < version.reference().classes_size() && i < version.latest().classes_size(); ++i) {
    rows[0].push_back(i < version.labels_size() ? Printable(version.labels(i)) : "none");
    rows[1].push_back(Share(version.reference().classes(i), version.reference().images()));
    rows[2].push_back(Share(version.latest().classes(i), version.latest().images()));
  }
  return FormatTable(rows);
}

std::string LabelAt(const v1::VersionStats& version, int place) {
  return place < version.labels_size() ? Printable(version.labels(place)) : "none";
}

std::string FormatMatrix(const v1::VersionStats& version) {
  const int side = version.labels_size() + 1;
  std::vector<Row> rows = {{"  is \\ answered"}};
  for (int i = 0; i < side; ++i) rows[0].push_back(LabelAt(version, i));
  for (int truth = 0; truth < side; ++truth) {
    Row row = {"  " + LabelAt(version, truth)};
    for (int answered = 0; answered < side; ++answered) {
      const int64_t count = version.confusion(truth * side + answered);
      row.push_back(count == 0 ? "." : absl::StrCat(count));
    }
    rows.push_back(std::move(row));
  }
  return FormatTable(rows);
}

std::string FormatConfusions(const v1::VersionStats& version) {
  const int side = version.labels_size() + 1;
  std::vector<std::tuple<int64_t, int, int>> found;
  for (int i = 0; i < version.confusion_size(); ++i) {
    if (version.confusion(i) > 0 && i / side != i % side) found.emplace_back(-version.confusion(i), i / side, i % side);
  }
  std::sort(found.begin(), found.end());
  std::string out;
  for (size_t i = 0; i < std::min(found.size(), kMaxListed); ++i) {
    const auto& [count, truth, answered] = found[i];
    absl::StrAppend(&out, "  ", LabelAt(version, truth), " answered as ", LabelAt(version, answered), ": ", -count,
                    "\n");
  }
  return out;
}

std::string FormatCorrections(const v1::VersionStats& version) {
  std::string out = absl::StrCat("  corrections  ", version.corrections());
  if (version.corrections() == 0) return out + "\n";
  absl::StrAppend(&out, ", of which ", version.confirmed(), " say that the answer was right (",
                  Share(version.confirmed(), version.corrections()), ")\n");
  const bool has_matrix = version.confusion_size() == (version.labels_size() + 1) * (version.labels_size() + 1);
  if (!has_matrix) return out;
  return out + (version.labels_size() <= kMaxMatrixLabels ? FormatMatrix(version) : FormatConfusions(version));
}

}  // namespace

std::string FormatStats(const v1::GetModelStatsResponse& stats) {
  std::string out;
  for (const v1::VersionStats& version : stats.versions()) {
    absl::StrAppend(&out, Printable(stats.model()), " ", Printable(version.version()), "\n");
    absl::StrAppend(&out, "  answers      ",
                    version.has_answers() ? FormatAnswers(version.answers()) : "the version is not loaded", "\n");
    if (version.has_answers()) absl::StrAppend(&out, "  drift        ", FormatDrift(version), "\n");
    if (version.has_latest() && version.labels_size() <= kMaxMatrixLabels) out += FormatShares(version);
    if (stats.corrections_error().empty()) out += FormatCorrections(version);
  }
  return out;
}

ExitCode RunStats(const Flags& flags, Client* client) {
  const absl::StatusOr<v1::GetModelStatsResponse> stats = client->GetModelStats(flags.model);
  if (!stats.ok()) return Fail(stats.status());
  std::string data;
  if (flags.output == OutputFormat::kJson) {
    const absl::Status formatted = AppendJsonLine(*stats, &data);
    if (!formatted.ok()) return Fail(formatted);
  } else {
    data = FormatStats(*stats);
  }
  if (!stats->corrections_error().empty()) {
    Complain(absl::StrCat("without corrections: ", stats->corrections_error()));
  }
  ExitCode code = kExitOk;
  PrintData(data, &code);
  return code;
}

}  // namespace digit
