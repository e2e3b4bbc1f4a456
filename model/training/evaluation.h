// How good a network is on labelled pictures, with everything that the model card and the report show.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "model/dataset/idx.h"
#include "model/network/digit_cnn.h"

namespace digit {

// The network's outputs, kDigitCnnClasses for each of the kImagePixels-sized pictures in `pixels`. `parameters` are
// flat (digit_cnn_step.h). Runs on `threads` threads; their number does not change the outcome.
std::vector<float> ComputeLogits(absl::Span<const float> parameters, absl::Span<const uint8_t> pixels, int threads);

struct Mistake {
  int index = 0;  // in the data set
  int label = 0;
  int answer = 0;
  double confidence = 0;  // calibrated
};

struct Evaluation {
  int images = 0;
  int right = 0;
  double cross_entropy = 0;      // mean, of the calibrated probabilities
  double calibration_error = 0;  // expected calibration error, 15 bins (Guo et al. 2017)
  std::array<std::array<int, kDigitCnnClasses>, kDigitCnnClasses> confusion{};  // [label][answer]
  std::vector<Mistake> mistakes;                                                // the most confident first

  double accuracy() const { return images == 0 ? 0 : static_cast<double>(right) / images; }
  int errors_of(int label) const;
  int images_of(int label) const;
};

// `logits` holds kDigitCnnClasses floats for each label; `left_out` are indices to pass over, ascending.
Evaluation Evaluate(absl::Span<const float> logits, absl::Span<const uint8_t> labels, double temperature,
                    absl::Span<const int> left_out = {});

// Indices in MNIST's test set whose labels people doubt, ascending: a digit that reads as another one.
absl::Span<const int> DoubtfulMnistTestLabels();

}  // namespace digit
