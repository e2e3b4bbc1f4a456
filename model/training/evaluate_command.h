// `digit-train evaluate`: how good a model file is, in figures that the model card can quote.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace digit {

struct EvaluatedModel {
  std::string text;     // for stdout
  std::string warning;  // one line for stderr when the file was made for another data set; else empty
};

// Reads MODEL by the restricted reader and the test pictures in `data_dir`. INVALID_ARGUMENT: the file
// is not the digit network (a foreign TorchScript is never run here).
absl::StatusOr<EvaluatedModel> EvaluateModelFile(const std::string& path, const std::string& dataset,
                                                 const std::string& data_dir, int threads);

}  // namespace digit
