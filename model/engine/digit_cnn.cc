#include "model/engine/digit_cnn.h"

#include <cmath>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "base/status.h"
#include "model/spec/model_spec.h"

namespace digit {
namespace {

constexpr absl::string_view kNames[] = {"conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias",
                                        "fc1.weight",   "fc1.bias",   "fc2.weight",   "fc2.bias"};

const NamedTensor* Find(const std::vector<NamedTensor>& tensors, absl::string_view name) {
  for (const NamedTensor& tensor : tensors) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}

absl::Status CheckNames(const std::vector<NamedTensor>& tensors) {
  for (absl::string_view name : kNames) {
    if (Find(tensors, name) == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("tensor '", name, "' is missing"));
    }
  }
  for (const NamedTensor& tensor : tensors) {
    bool known = false;
    for (absl::string_view name : kNames) known = known || tensor.name == name;
    if (!known) {
      return absl::InvalidArgumentError(absl::StrCat("tensor '", tensor.name, "' is not part of the digit network"));
    }
  }
  return absl::OkStatus();
}

// The first dimension of a tensor whose other dimensions must be `rest`.
absl::StatusOr<int> FirstDimension(const NamedTensor& tensor, int64_t limit, const std::vector<int64_t>& rest) {
  bool fits = tensor.shape.size() == rest.size() + 1 && tensor.shape[0] >= 1 && tensor.shape[0] <= limit;
  int64_t count = fits ? tensor.shape[0] : 0;
  for (size_t i = 0; fits && i < rest.size(); ++i) {
    fits = tensor.shape[i + 1] == rest[i];
    count *= rest[i];
  }
  if (!fits) {
    std::string expected = absl::StrCat("1..", limit);
    for (int64_t dimension : rest) absl::StrAppend(&expected, ",", dimension);
    return absl::InvalidArgumentError(absl::StrCat("tensor '", tensor.name, "' has shape [",
                                                   absl::StrJoin(tensor.shape, ","), "], the digit network needs [",
                                                   expected, "]"));
  }
  if (static_cast<int64_t>(tensor.values.size()) != count) {
    return absl::InvalidArgumentError(
        absl::StrCat("tensor '", tensor.name, "' holds ", tensor.values.size(), " values, its shape says ", count));
  }
  for (size_t i = 0; i < tensor.values.size(); ++i) {
    if (!std::isfinite(tensor.values[i])) {
      return absl::DataLossError(
          absl::StrCat("tensor '", tensor.name, "' is not finite at element ", i, ": its training went wrong"));
    }
  }
  return static_cast<int>(tensor.shape[0]);
}

// Finds NAME.weight and NAME.bias; returns how many outputs the layer has.
absl::StatusOr<int> FindLayer(const std::vector<NamedTensor>& tensors, absl::string_view name, int64_t limit,
                              const std::vector<int64_t>& inputs, absl::Span<const float>* weight,
                              absl::Span<const float>* bias) {
  const NamedTensor* w = Find(tensors, absl::StrCat(name, ".weight"));
  const NamedTensor* b = Find(tensors, absl::StrCat(name, ".bias"));
  ASSIGN_OR_RETURN(const int outputs, FirstDimension(*w, limit, inputs));
  ASSIGN_OR_RETURN(const int biases, FirstDimension(*b, limit, {}));
  if (biases != outputs) {
    return absl::InvalidArgumentError(absl::StrCat("tensor '", b->name, "' has shape [", biases,
                                                   "], the digit network needs [", outputs, "], as '", w->name,
                                                   "' has"));
  }
  *weight = w->values;
  *bias = b->values;
  return outputs;
}

}  // namespace

absl::StatusOr<DigitCnn> FindDigitCnn(const std::vector<NamedTensor>& tensors) {
  RETURN_IF_ERROR(CheckNames(tensors));
  DigitCnn net;
  ASSIGN_OR_RETURN(net.conv1_channels,
                   FindLayer(tensors, "conv1", kMaxWidth, {1, 3, 3}, &net.conv1_weight, &net.conv1_bias));
  ASSIGN_OR_RETURN(net.conv2_channels, FindLayer(tensors, "conv2", kMaxWidth, {net.conv1_channels, 3, 3},
                                                 &net.conv2_weight, &net.conv2_bias));
  ASSIGN_OR_RETURN(net.hidden, FindLayer(tensors, "fc1", kMaxWidth, {net.conv2_channels * kFeaturePixels},
                                         &net.fc1_weight, &net.fc1_bias));
  ASSIGN_OR_RETURN(net.num_classes,
                   FindLayer(tensors, "fc2", kMaxClasses, {net.hidden}, &net.fc2_weight, &net.fc2_bias));
  return net;
}

}  // namespace digit
