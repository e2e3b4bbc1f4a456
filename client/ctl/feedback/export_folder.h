// Corrections as files: pictures and labels as MNIST's, and feedback.csv with a row for each picture, in the same
// order.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace digit {

inline constexpr uint8_t kNotADigitClass = 255;

struct ExportedCorrection {
  int64_t id = 0;
  std::string pixels;       // 784 bytes
  uint8_t label_index = 0;  // or kNotADigitClass
  // As they stand in feedback.csv:
  std::string state, label, answered, model, version, source, time;
};

// OK when WriteExport() would not refuse `folder` for what is there. ALREADY_EXISTS: something is, and not `replace`.
// FAILED_PRECONDITION: it is no folder, or holds what no export has made.
absl::Status CheckExportFolder(const std::string& folder, bool replace);

// Makes `folder`, for its owner only, whole or not at all; the one before, if any, stays until then. `corrections` are
// not empty.
absl::Status WriteExport(const std::string& folder, bool replace, const std::vector<ExportedCorrection>& corrections);

}  // namespace digit
