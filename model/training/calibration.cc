#include "model/training/calibration.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "model/spec/interpretation.h"
#include "model/training/evaluation.h"

namespace digit {
namespace {

std::vector<double> SortedEnergies(absl::Span<const float> logits) {
  std::vector<double> energies;
  for (size_t i = 0; i + kDigitCnnClasses <= logits.size(); i += kDigitCnnClasses) {
    energies.push_back(Energy(logits.subspan(i, kDigitCnnClasses)));
  }
  std::sort(energies.begin(), energies.end());
  return energies;
}

double FitUnsureBelow(absl::Span<const float> logits, absl::Span<const uint8_t> labels, double temperature) {
  ModelSpec spec = DefaultSpec(kDigitCnnClasses);
  spec.output = OutputKind::kLogits;
  spec.temperature = temperature;
  std::vector<std::pair<double, bool>> answers;  // confidence, right
  for (size_t i = 0; i < labels.size(); ++i) {
    const Interpretation answer = Interpret(spec, logits.subspan(i * kDigitCnnClasses, kDigitCnnClasses));
    answers.emplace_back(answer.confidence, answer.label_index == labels[i]);
  }
  std::sort(answers.begin(), answers.end());
  // Drop from the least confident on until enough of the rest are right.
  size_t wrong = 0;
  for (const auto& answer : answers) wrong += answer.second ? 0 : 1;
  for (size_t i = 0; i < answers.size(); ++i) {
    const bool starts_a_tie = i == 0 || answers[i].first != answers[i - 1].first;
    const double allowed = (1 - kConfidentAccuracy) * static_cast<double>(answers.size() - i);
    if (starts_a_tie && static_cast<double>(wrong) <= allowed) return i == 0 ? 0 : answers[i].first;
    wrong -= answers[i].second ? 0 : 1;
  }
  return 1;
}

}  // namespace

double FitTemperature(absl::Span<const float> logits, absl::Span<const uint8_t> labels) {
  // Golden-section search over log(T): the cross entropy has one minimum.
  const auto loss = [&](double log_t) { return Evaluate(logits, labels, std::exp(log_t)).cross_entropy; };
  constexpr double kGolden = 0.6180339887498949;
  double low = std::log(0.05), high = std::log(20.0);
  double a = high - kGolden * (high - low), b = low + kGolden * (high - low);
  double loss_a = loss(a), loss_b = loss(b);
  while (high - low > 1e-4) {
    if (loss_a < loss_b) {
      high = b;
      b = a;
      loss_b = loss_a;
      a = high - kGolden * (high - low);
      loss_a = loss(a);
    } else {
      low = a;
      a = b;
      loss_a = loss_b;
      b = low + kGolden * (high - low);
      loss_b = loss(b);
    }
  }
  return std::exp((low + high) / 2);
}

Thresholds FitThresholds(absl::Span<const float> logits, absl::Span<const uint8_t> labels, double temperature,
                         absl::Span<const float> non_digits) {
  Thresholds thresholds;
  thresholds.unsure_below = FitUnsureBelow(logits, labels, temperature);
  const std::vector<double> digits = SortedEnergies(logits);
  const std::vector<double> others = SortedEnergies(non_digits);
  // Exactly `lost` digits lie below digits[lost] (or fewer, with ties).
  const double highest = digits[static_cast<size_t>(kDigitsLost * static_cast<double>(digits.size()))];
  const auto first_not_caught = std::lower_bound(others.begin(), others.end(), highest);
  if (first_not_caught == others.begin()) {
    thresholds.not_a_digit_below = highest;  // nothing to catch
  } else {
    // Every cut above the last caught non-digit catches the same; stay clear of it and of the digits.
    thresholds.not_a_digit_below = (*(first_not_caught - 1) + highest) / 2;
  }
  return thresholds;
}

double PartBelow(absl::Span<const float> logits, double not_a_digit_below) {
  const std::vector<double> energies = SortedEnergies(logits);
  if (energies.empty()) return 0;
  const auto below = std::lower_bound(energies.begin(), energies.end(), not_a_digit_below) - energies.begin();
  return static_cast<double>(below) / static_cast<double>(energies.size());
}

}  // namespace digit
