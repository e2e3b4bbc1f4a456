// Whether a candidate may take a live version's place: not worse on labelled pictures, or, without any, of the same
// mind on generated digits.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/dataset/idx.h"
#include "model/engine/inference_engine.h"

namespace digit {

// What the gate saw. Answers of both versions to the same pictures.
struct GateReport {
  bool labelled = false;  // compared with labels; else with each other, on generated digits
  int images = 0;
  int candidate_right = 0, live_right = 0;  // with labels
  int worse = 0, better = 0;                // only the live one is right; only the candidate. Without labels: differ, 0
  double p_worse = 1;                       // McNemar's test; with labels

  // One line for people and logs: "99.10 % of 5,000 labelled pictures, the live version 99.20 %; p = 0.31".
  std::string ToString() const;
};

// The exact two-sided p-value of McNemar's test (McNemar 1947) from the discordant counts: how likely a difference as
// large as this is between versions that are equally good.
double McNemarP(int worse, int better);

// OK, or FAILED_PRECONDITION saying what was compared and why that is not enough. With labels: refused when the
// candidate is worse at p < 0.05, or right on more than a point less of the pictures of any one class. Without:
// refused below 99 % agreement. `labels` is empty or as long as the answers, which are class numbers.
absl::Status Judge(absl::Span<const uint8_t> labels, absl::Span<const int> live, absl::Span<const int> candidate,
                   GateReport* report);

// What one version answered.
struct GateAnswers {
  std::string identity;                         // Model::identity
  std::shared_ptr<const LabeledImages> images;  // to these
  std::vector<int> classes;
};

// Class numbers that `engine` gives to `pixels`, in batches of 8. `rest` is called after each (ModelRegistry::Options).
absl::StatusOr<std::vector<int>> ClassesOf(InferenceEngine& engine, absl::Span<const uint8_t> pixels,
                                           absl::FunctionRef<void()> rest);

}  // namespace digit
