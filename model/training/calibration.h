// From validation outputs to calibrated confidence and the two thresholds behind the verdicts.
//
// Temperature: Guo et al. 2017, "On Calibration of Modern Neural Networks": the T that minimises the cross entropy of
// softmax(logits / T) on validation.
// unsure_below: the lowest confidence such that of the validation answers at or above it at least 99.9 % are right.
// not_a_digit_below, on the energy log(sum(exp(logit))) of Liu et al. 2020: of the cuts that put at most 0.2 % of the
// validation digits below, one that catches the most generated non-digits; among equals the middle of the gap, where
// neither side is near.
#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "model/spec/model_spec.h"

namespace digit {

inline constexpr double kConfidentAccuracy = 0.999;
inline constexpr double kDigitsLost = 0.002;

// The generated non-digits (DigitGenerator): what training draws from, what the threshold is fitted on, and what
// `evaluate` tries.
inline constexpr uint64_t kTrainingNonDigitSeed = 1999, kNonDigitSeed = 2000, kFreshNonDigitSeed = 2001;
inline constexpr int kTrainingNonDigits = 20'000;  // at most; no more than there are digits
inline constexpr int kNonDigits = 2000;            // fitted on; tried

// `logits` holds kDigitCnnClasses floats for each label, at least one; the answer is within 0.05 .. 20.
double FitTemperature(absl::Span<const float> logits, absl::Span<const uint8_t> labels);

// `non_digits`: outputs for pictures that are no digits; may be empty.
Thresholds FitThresholds(absl::Span<const float> logits, absl::Span<const uint8_t> labels, double temperature,
                         absl::Span<const float> non_digits);

// Part of the pictures whose energy is below `not_a_digit_below`, 0..1.
double PartBelow(absl::Span<const float> logits, double not_a_digit_below);

}  // namespace digit
