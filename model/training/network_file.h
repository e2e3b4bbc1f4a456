// The digit network out of a model file, for what goes on from it.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/network/digit_cnn.h"
#include "model/spec/model_spec.h"

namespace digit {

struct NetworkFile {
  DigitCnnWeights weights;
  ModelSpec spec;      // what its model.json says, else DefaultSpec()
  std::string sha256;  // of the file
};

// INVALID_ARGUMENT: not a model file, or another network.
absl::StatusOr<NetworkFile> ReadNetworkFile(const std::string& path);

}  // namespace digit
