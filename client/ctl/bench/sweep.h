// The points of a sweep as users write them.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace digit {

// "64"; a list "1,8,64"; a range "LOW:HIGH:STEP", where STEP "2x" multiplies and "8" adds. A range starts at LOW and
// always ends with HIGH. At most 100 points of 1..max. INVALID_ARGUMENT quotes `text` and says what is wrong.
absl::StatusOr<std::vector<int64_t>> ParseSweep(absl::string_view text, int64_t max);

// "5%" -> 0.05; above 0 and at most 100 %.
absl::StatusOr<double> ParsePercent(absl::string_view text);

}  // namespace digit
