// `digit-train evaluate`: how good a model file is, in figures that the model card can quote.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace digit {

// Text for stdout. Reads MODEL by the restricted reader and the test pictures in `data_dir`. INVALID_ARGUMENT: the file
// is not the digit network (a foreign TorchScript is never run here).
absl::StatusOr<std::string> EvaluateModelFile(const std::string& path, const std::string& dataset,
                                              const std::string& data_dir, int threads);

}  // namespace digit
