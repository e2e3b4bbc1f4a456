// What somebody says of a picture that a model has answered.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace digit {

inline constexpr size_t kCorrectionPixels = 784;  // bytes of a picture: 28x28, 0 paper to 255 ink

// In place of a label, which is never empty: the picture shows none of the model's classes.
inline constexpr absl::string_view kNotADigitLabel = "";

enum class CorrectionState { kPending = 1, kAccepted = 2, kRejected = 3 };  // stored by number

struct Correction {
  std::string pixels;  // kCorrectionPixels bytes, as the model saw them
  std::string model;
  std::string version;                  // that answered; empty: unknown
  std::optional<std::string> answered;  // its label or kNotADigitLabel; absent: unknown
  std::string truth;                    // the right label or kNotADigitLabel
  std::string source;                   // who says so, as the caller claims
  absl::Time created;
};

struct StoredCorrection : Correction {
  int64_t id = 0;
  CorrectionState state = CorrectionState::kPending;
  int agreeing_sources = 0;  // that say the same, this one included
};

}  // namespace digit
