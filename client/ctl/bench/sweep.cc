#include "client/ctl/bench/sweep.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"

namespace digit {
namespace {

constexpr size_t kMaxPoints = 100;

absl::Status Wrong(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "': ", why, "; expected a number (64), a list (1,8,64) or a range (1:64:2x, 8:64:8)"));
}

absl::StatusOr<std::vector<int64_t>> Range(absl::string_view text, int64_t low, int64_t high, absl::string_view step) {
  const bool multiply = absl::ConsumeSuffix(&step, "x");
  int64_t by = 0;
  if (!absl::SimpleAtoi(step, &by) || by < (multiply ? 2 : 1)) {
    return Wrong(text, "the step must add at least 1 or multiply by at least 2x");
  }
  if (low > high) return Wrong(text, "the range goes down");
  std::vector<int64_t> points;
  // Neither overflows: `value` is compared with what is left up to `high` before it grows.
  for (int64_t value = low; value < high; value = multiply ? value * by : value + by) {
    if (points.size() == kMaxPoints) return Wrong(text, absl::StrCat("more than ", kMaxPoints, " points"));
    points.push_back(value);
    if (multiply ? value > high / by : value > high - by) break;
  }
  points.push_back(high);
  return points;
}

}  // namespace

absl::StatusOr<std::vector<int64_t>> ParseSweep(absl::string_view text, int64_t max) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ':');
  const bool range = parts.size() == 3;
  if (!range && parts.size() != 1) return Wrong(text, "a range has three parts");
  std::vector<int64_t> points;
  const std::vector<absl::string_view> numbers =
      range ? std::vector<absl::string_view>{parts[0], parts[1]} : absl::StrSplit(text, ',');
  for (const absl::string_view number : numbers) {
    int64_t value = 0;
    if (!absl::SimpleAtoi(number, &value)) return Wrong(text, absl::StrCat("'", number, "' is no whole number"));
    if (value < 1 || value > max) return Wrong(text, absl::StrCat(value, " is not within 1 to ", max));
    points.push_back(value);
  }
  if (range) return Range(text, points[0], points[1], parts[2]);
  if (points.size() > kMaxPoints) return Wrong(text, absl::StrCat("more than ", kMaxPoints, " points"));
  return points;
}

absl::StatusOr<double> ParsePercent(absl::string_view text) {
  absl::string_view number = text;
  double percent = 0;
  if (!absl::ConsumeSuffix(&number, "%") || !absl::SimpleAtod(number, &percent) || !(percent > 0 && percent <= 100)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is not a share above 0% and at most 100%, such as 5%"));
  }
  return percent / 100;
}

}  // namespace digit
