// From values to places on a chart. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace digit {

// One direction of a chart: `low` lies at `from`, `high` at `to` (pixels, either may be the larger).
class PlotAxis {
 public:
  // From 0 to a round number at or above `high`, in steps of 1, 2 or 5 times a power of ten.
  static PlotAxis Linear(double high, double from, double to);
  // From a 1, 2 or 5 times a power of ten at or below `low` to one at or above `high`; both are first moved into
  // 1e-6..1e9, and the axis spans a factor of two at least.
  static PlotAxis Log(double low, double high, double from, double to);

  double At(double value) const;  // what lies outside is moved to the end
  double low() const { return ticks_.front(); }
  double high() const { return ticks_.back(); }
  const std::vector<double>& ticks() const { return ticks_; }  // ascending, ends included

 private:
  PlotAxis(std::vector<double> ticks, bool log, double from, double to)
      : ticks_(std::move(ticks)), log_(log), from_(from), to_(to) {}

  std::vector<double> ticks_;
  bool log_;
  double from_, to_;
};

// "0.05", "2", "1,500": a tick's text.
std::string TickText(double value);

// &, <, >, " and control characters made safe for XML; invalid UTF-8 repaired.
std::string XmlText(absl::string_view text);

}  // namespace digit
