// The network of the tutorial, as data: names, shapes and values of its parameters. No LibTorch.
//
//   input 1x28x28 -> conv1 3x3, 32 -> relu -> maxpool 2 -> conv2 3x3, 64 -> relu -> maxpool 2 -> flatten 1600
//   -> fc1 128 -> relu -> fc2 10 (logits). Input is grey/255, white ink on black, no mean or deviation.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace digit {

struct DigitCnnParameter {
  absl::string_view name;  // as in Python's state_dict
  absl::Span<const int64_t> shape;
  int size;  // product of shape
};

inline constexpr int64_t kConv1WeightShape[] = {32, 1, 3, 3};
inline constexpr int64_t kConv1BiasShape[] = {32};
inline constexpr int64_t kConv2WeightShape[] = {64, 32, 3, 3};
inline constexpr int64_t kConv2BiasShape[] = {64};
inline constexpr int64_t kFc1WeightShape[] = {128, 1600};
inline constexpr int64_t kFc1BiasShape[] = {128};
inline constexpr int64_t kFc2WeightShape[] = {10, 128};
inline constexpr int64_t kFc2BiasShape[] = {10};

inline constexpr int kDigitCnnClasses = 10;

// In the order of the state_dict.
inline constexpr std::array<DigitCnnParameter, 8> kDigitCnnParameters = {{
    {"conv1.weight", kConv1WeightShape, 288},
    {"conv1.bias", kConv1BiasShape, 32},
    {"conv2.weight", kConv2WeightShape, 18432},
    {"conv2.bias", kConv2BiasShape, 64},
    {"fc1.weight", kFc1WeightShape, 204800},
    {"fc1.bias", kFc1BiasShape, 128},
    {"fc2.weight", kFc2WeightShape, 1280},
    {"fc2.bias", kFc2BiasShape, 10},
}};

// The values, indexed as kDigitCnnParameters, each row-major.
using DigitCnnWeights = std::array<std::vector<float>, kDigitCnnParameters.size()>;

}  // namespace digit
