#include "model/spec/interpretation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/check.h"

namespace digit {
namespace {

// Softmax of logits / temperature, in place of `logits`; the largest is subtracted first so that exp() cannot overflow.
absl::InlinedVector<float, 10> Softmax(absl::Span<const float> logits, double temperature) {
  const float largest = *std::max_element(logits.begin(), logits.end());
  absl::InlinedVector<float, 10> probabilities(logits.size());
  double sum = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    probabilities[i] = std::exp((logits[i] - largest) / static_cast<float>(temperature));
    sum += probabilities[i];
  }
  for (float& p : probabilities) p = static_cast<float>(p / sum);
  return probabilities;
}

std::vector<float> LogarithmsOf(absl::Span<const float> probabilities) {
  std::vector<float> logits(probabilities.size());
  for (size_t i = 0; i < logits.size(); ++i) {
    logits[i] = std::log(std::max(probabilities[i], std::numeric_limits<float>::min()));
  }
  return logits;
}

Verdict VerdictOf(const ModelSpec& spec, double confidence, absl::Span<const float> logits) {
  if (!spec.thresholds.has_value()) return Verdict::kUnspecified;
  if (Energy(logits) < spec.thresholds->not_a_digit_below) return Verdict::kNotADigit;
  return confidence < spec.thresholds->unsure_below ? Verdict::kUnsure : Verdict::kConfident;
}

}  // namespace

double Energy(absl::Span<const float> logits) {
  const float largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (float logit : logits) sum += std::exp(logit - largest);  // in float, as exact as logits are
  return largest + std::log(sum);
}

bool LooksLikeProbabilities(absl::Span<const float> scores) {
  double sum = 0;
  for (float score : scores) {
    if (!(score >= 0)) return false;
    sum += score;
  }
  return std::abs(sum - 1) <= 1e-3;
}

Interpretation Interpret(const ModelSpec& spec, absl::Span<const float> scores) {
  DIGIT_CHECK(!scores.empty());
  const bool are_probabilities =
      spec.output == OutputKind::kProbabilities || (spec.output == OutputKind::kAuto && LooksLikeProbabilities(scores));
  std::vector<float> logarithms;
  if (are_probabilities) logarithms = LogarithmsOf(scores);
  const absl::Span<const float> logits = are_probabilities ? absl::MakeConstSpan(logarithms) : scores;

  Interpretation result;
  result.label_index = static_cast<int>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  result.probabilities = Softmax(logits, spec.temperature);
  result.confidence = result.probabilities[result.label_index];
  result.verdict = VerdictOf(spec, result.confidence, logits);
  return result;
}

}  // namespace digit
