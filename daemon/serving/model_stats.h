// How the versions of a model do, from what they answered and what was corrected. Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "daemon/feedback/feedback_store.h"
#include "daemon/registry/answer_counters.h"

namespace digit {

struct VersionStats {
  std::string version;
  std::optional<AnswerCounters::Snapshot> answers;  // absent: not loaded
  std::optional<double> drift;                      // PopulationStability(); absent: too few answers
  // Corrections that are not rejected and name version and answer. Of these, those that confirm the answer.
  int64_t corrections = 0, confirmed = 0;
  // Row by what is right, column by what was answered, (labels + 1) squared; "not a digit" is last. Empty: no
  // corrections, or more than kMaxConfusionLabels.
  std::vector<int64_t> confusion;
};

struct ModelStats {
  std::string model;
  std::vector<std::string> labels;
  std::vector<VersionStats> versions;  // that are loaded, the live one first, and others that were corrected
  absl::Status corrections;            // why there are none in here
};

inline constexpr size_t kMaxConfusionLabels = 100;
inline constexpr size_t kMaxCorrectedVersions = 20;  // and not loaded; callers name them

// The population stability index of two distributions over the same classes, from their counts: the sum of
// (b - a) * ln(b / a) over the shares a and b. Half a count is added everywhere, so that an empty class counts and is
// finite. Below 0.1 is commonly read as no change, above 0.25 as a large one; two samples of n from one distribution
// over k classes differ by 2 (k - 1) / n on average. Both not empty and of one size.
double PopulationStability(absl::Span<const int64_t> reference, absl::Span<const int64_t> latest);

// `versions` has what is loaded, in order; what was corrected beyond that follows, the most corrected first.
// Counts of labels that the model has not are left out.
void AddCorrections(absl::Span<const FeedbackStore::AnswerCount> counts, ModelStats* stats);

}  // namespace digit
