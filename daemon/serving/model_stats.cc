#include "daemon/serving/model_stats.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace digit {
namespace {

// The place of a label in a confusion matrix; none for one that the model has not.
std::optional<size_t> PlaceOf(const std::string& label, const std::vector<std::string>& labels) {
  if (label == kNotADigitLabel) return labels.size();
  const auto found = std::find(labels.begin(), labels.end(), label);
  if (found == labels.end()) return std::nullopt;
  return static_cast<size_t>(found - labels.begin());
}

void AddCount(const FeedbackStore::AnswerCount& count, const std::vector<std::string>& labels, VersionStats* version) {
  const std::optional<size_t> truth = PlaceOf(count.truth, labels), answered = PlaceOf(count.answered, labels);
  if (!truth.has_value() || !answered.has_value()) return;
  version->corrections += count.corrections;
  if (*truth == *answered) version->confirmed += count.corrections;
  if (labels.size() > kMaxConfusionLabels) return;
  const size_t side = labels.size() + 1;
  version->confusion.resize(side * side);
  version->confusion[*truth * side + *answered] += count.corrections;
}

}  // namespace

double PopulationStability(absl::Span<const int64_t> reference, absl::Span<const int64_t> latest) {
  constexpr double kAdded = 0.5;
  const double added = kAdded * static_cast<double>(reference.size());
  const double reference_sum =
      added + static_cast<double>(std::accumulate(reference.begin(), reference.end(), int64_t{0}));
  const double latest_sum = added + static_cast<double>(std::accumulate(latest.begin(), latest.end(), int64_t{0}));
  double index = 0;
  for (size_t i = 0; i < reference.size(); ++i) {
    const double a = (static_cast<double>(reference[i]) + kAdded) / reference_sum;
    const double b = (static_cast<double>(latest[i]) + kAdded) / latest_sum;
    index += (b - a) * std::log(b / a);
  }
  return index;
}

void AddCorrections(absl::Span<const FeedbackStore::AnswerCount> counts, ModelStats* stats) {
  std::map<std::string, VersionStats> unknown;
  for (const FeedbackStore::AnswerCount& count : counts) {
    const auto known = std::find_if(stats->versions.begin(), stats->versions.end(),
                                    [&](const VersionStats& version) { return version.version == count.version; });
    AddCount(count, stats->labels, known != stats->versions.end() ? &*known : &unknown[count.version]);
  }
  std::vector<VersionStats> others;
  for (auto& [version, found] : unknown) {
    found.version = version;
    if (found.corrections > 0) others.push_back(std::move(found));
  }
  std::stable_sort(others.begin(), others.end(),
                   [](const VersionStats& a, const VersionStats& b) { return a.corrections > b.corrections; });
  others.resize(std::min(others.size(), kMaxCorrectedVersions));
  std::move(others.begin(), others.end(), std::back_inserter(stats->versions));
}

}  // namespace digit
