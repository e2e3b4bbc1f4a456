// The tensors of our network, found by name and checked, whatever its widths:
//   conv1 [C1,1,3,3], relu, maxpool 2, conv2 [C2,C1,3,3], relu, maxpool 2, flatten, fc1 [H,C2*25], relu, fc2 [K,H].
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/archive/model_file.h"

namespace digit {

inline constexpr int kConv1Side = 26;   // 28 - 2: outputs of conv1 before the pooling
inline constexpr int kConv2Side = 11;   // 26 / 2 - 2
inline constexpr int kFeatureSide = 5;  // 11 / 2, the last row and column dropped
inline constexpr int kFeaturePixels = kFeatureSide * kFeatureSide;
inline constexpr int kMaxWidth = 4096;  // of C1, C2 and H; far beyond any use, it bounds what padding can cost

// Views into the tensors it was found in, row-major as PyTorch stores them.
struct DigitCnn {
  int conv1_channels = 0;  // C1, 32 in the tutorial
  int conv2_channels = 0;  // C2, 64
  int hidden = 0;          // H, 128
  int num_classes = 0;     // K, 10
  absl::Span<const float> conv1_weight, conv1_bias;
  absl::Span<const float> conv2_weight, conv2_bias;
  absl::Span<const float> fc1_weight, fc1_bias;
  absl::Span<const float> fc2_weight, fc2_bias;
};

// INVALID_ARGUMENT names the tensor that is missing, of another shape, or not part of the network; DATA_LOSS one that
// is not finite.
absl::StatusOr<DigitCnn> FindDigitCnn(const std::vector<NamedTensor>& tensors);

}  // namespace digit
