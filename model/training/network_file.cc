#include "model/training/network_file.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/status.h"
#include "model/archive/model_file.h"

namespace digit {
namespace {

absl::StatusOr<DigitCnnWeights> WeightsOf(ModelFile file, const std::string& path) {
  const auto wrong = [&path](absl::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", path, "' is not the digit network: ", what, "; only that can be trained and evaluated here"));
  };
  DigitCnnWeights weights;
  if (file.tensors.size() != weights.size()) return wrong("it has other parameters");
  for (size_t i = 0; i < weights.size(); ++i) {
    const DigitCnnParameter& parameter = kDigitCnnParameters[i];
    for (NamedTensor& tensor : file.tensors) {
      if (tensor.name == parameter.name && absl::MakeConstSpan(tensor.shape) == parameter.shape) {
        weights[i] = std::move(tensor.values);
      }
    }
    if (weights[i].empty()) return wrong(absl::StrCat("no ", std::string(parameter.name), " of the right shape"));
  }
  return weights;
}

}  // namespace

absl::StatusOr<NetworkFile> ReadNetworkFile(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMaxModelFileBytes));
  absl::StatusOr<ModelFile> file = ParseModelFile(bytes);
  if (!file.ok()) return absl::Status(file.status().code(), absl::StrCat("'", path, "': ", file.status().message()));
  NetworkFile network{.spec = DefaultSpec(kDigitCnnClasses), .sha256 = Sha256Hex(bytes)};
  if (!file->model_json.empty()) {
    ASSIGN_OR_RETURN(network.spec, ParseModelSpec(file->model_json, absl::StrCat("model.json in '", path, "'")));
  }
  ASSIGN_OR_RETURN(network.weights, WeightsOf(*std::move(file), path));
  return network;
}

}  // namespace digit
