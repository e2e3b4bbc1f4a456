#include "client/ctl/bench/plot_axis.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "client/ctl/bench/grouped.h"
#include "client/ctl/terminal.h"

namespace digit {
namespace {

constexpr double kSteps[] = {1, 2, 5};
constexpr double kRounding = 1 + 1e-9;  // 5 * 10^k is not exact for negative k

double Round125(int i) { return kSteps[((i % 3) + 3) % 3] * std::pow(10, std::floor(i / 3.0)); }

}  // namespace

PlotAxis PlotAxis::Linear(double high, double from, double to) {
  if (!(high > 0) || !std::isfinite(high)) high = 1;
  int i = static_cast<int>(std::floor(std::log10(high))) * 3 - 6;
  while (Round125(i) * 6 < high) ++i;
  std::vector<double> ticks = {0};
  while (ticks.back() * kRounding < high) ticks.push_back(Round125(i) * static_cast<double>(ticks.size()));
  return {std::move(ticks), false, from, to};
}

PlotAxis PlotAxis::Log(double low, double high, double from, double to) {
  low = std::clamp(std::isfinite(low) ? low : 1.0, 1e-6, 1e9);
  high = std::clamp(std::isfinite(high) ? high : low, low, 1e9);
  int i = static_cast<int>(std::floor(std::log10(low))) * 3;
  while (Round125(i + 1) <= low * kRounding) ++i;
  std::vector<double> ticks = {Round125(i)};
  while (ticks.back() * kRounding < high || ticks.size() < 2) ticks.push_back(Round125(++i));
  return {std::move(ticks), true, from, to};
}

double PlotAxis::At(double value) const {
  value = std::clamp(value, low(), high());
  const double part = log_ ? std::log(value / low()) / std::log(high() / low()) : (value - low()) / (high() - low());
  return from_ + part * (to_ - from_);
}

std::string TickText(double value) {
  return value < 1000 ? absl::StrFormat("%g", value) : Grouped(std::llround(value));
}

std::string XmlText(absl::string_view text) {
  return absl::StrReplaceAll(Printable(text), {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

}  // namespace digit
