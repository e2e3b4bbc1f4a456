// From a row of network outputs to what a user is told. Pure; used by the daemon, by digit-train and in tests, so that
// all three agree.
#pragma once

#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "model/spec/model_spec.h"

namespace digit {

enum class Verdict { kUnspecified, kConfident, kUnsure, kNotADigit };

struct Interpretation {
  int label_index = 0;                           // the class with the highest output; the lowest index on a tie
  float confidence = 0;                          // its calibrated probability, 0..1
  absl::InlinedVector<float, 10> probabilities;  // calibrated, in label order, sum 1
  Verdict verdict = Verdict::kUnspecified;
};

// `scores` holds one row of spec.num_classes() finite outputs. Calibration is Guo et al. 2017, "On Calibration of
// Modern Neural Networks" (temperature scaling); the energy score is Liu et al. 2020, "Energy-based Out-of-distribution
// Detection". A model that gives probabilities has its logarithms taken as logits.
Interpretation Interpret(const ModelSpec& spec, absl::Span<const float> scores);

// log(sum(exp(logit))), computed without overflow.
double Energy(absl::Span<const float> logits);

// Whether the row reads as probabilities: every value >= 0, sum within 1e-3 of 1.
bool LooksLikeProbabilities(absl::Span<const float> scores);

}  // namespace digit
