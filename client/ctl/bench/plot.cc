#include "client/ctl/bench/plot.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/ctl/bench/plot_axis.h"

namespace digit {
namespace {

// Pixels. Two charts of the same size, side by side under the title.
constexpr double kWidth = 1040, kHeight = 440;
constexpr double kTop = 96, kBottom = 376, kChartWidth = 410, kLeft1 = 70, kLeft2 = 590;
constexpr int kBars = 60;

constexpr char kBlue[] = "#2563eb", kRed[] = "#dc2626", kPurple[] = "#7c3aed", kGrid[] = "#e5e7eb", kInk[] = "#374151";

double Ms(absl::Duration d) { return absl::ToDoubleMilliseconds(d); }

std::string Text(double x, double y, const char* anchor, const std::string& text, const char* color = kInk,
                 const char* more = "") {
  return absl::StrFormat("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" fill=\"%s\"%s>%s</text>\n", x, y, anchor,
                         color, more, XmlText(text));
}

std::string Line(double x1, double y1, double x2, double y2, const char* color, const char* more = "") {
  return absl::StrFormat("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"%s/>\n", x1, y1, x2, y2,
                         color, more);
}

// Grid, ticks and names of both axes; the chart's left edge is where `x` begins.
std::string Frame(const PlotAxis& x, const PlotAxis& y, const std::string& title, const std::string& x_name,
                  const std::string& y_name) {
  const double left = x.At(x.low()), right = x.At(x.high());
  std::string out = Text(left, kTop - 16, "start", title, kInk, " font-weight=\"600\"");
  for (const double tick : y.ticks()) {
    out += Line(left, y.At(tick), right, y.At(tick), kGrid);
    out += Text(left - 8, y.At(tick) + 4, "end", TickText(tick));
  }
  double free_from = left - 100;
  for (const double tick : x.ticks()) {
    out += Line(x.At(tick), kTop, x.At(tick), kBottom, kGrid);
    const double half_width = 4.0 * static_cast<double>(TickText(tick).size()) + 3;
    if (x.At(tick) - half_width < free_from) continue;  // it would touch the text before
    out += Text(x.At(tick), kBottom + 18, "middle", TickText(tick));
    free_from = x.At(tick) + half_width;
  }
  out += Text((left + right) / 2, kBottom + 40, "middle", x_name);
  const double name_x = left - 52, name_y = (kTop + kBottom) / 2;
  out += Text(name_x, name_y, "middle", y_name, kInk,
              absl::StrFormat(" transform=\"rotate(-90 %.1f %.1f)\"", name_x, name_y).c_str());
  return out;
}

std::string LoadName(const BenchSetup& setup, const BenchPoint& point) {
  return absl::StrCat(TickText(static_cast<double>(point.load)),
                      setup.options.open_loop() ? " requests a second" : " in flight");
}

std::string LatencyChart(const BenchSetup& setup, const BenchPoint& point) {
  const LatencyHistogram& latency = point.total.latency;
  const double lowest = latency.count() == 0 ? 1 : Ms(latency.Quantile(0)),
               highest = std::max(Ms(latency.max()), lowest);
  const PlotAxis x = PlotAxis::Log(lowest, highest, kLeft1, kLeft1 + kChartWidth);
  std::array<double, kBars> share{};  // percent of the answers, in steps of equal width on the axis
  latency.ForEachBucket([&](absl::Duration low, absl::Duration high, int64_t count) {
    const double place = (x.At(std::sqrt(std::max(Ms(low), 1e-6) * Ms(high))) - kLeft1) / kChartWidth;
    share[std::min(static_cast<int>(place * kBars), kBars - 1)] +=
        100.0 * static_cast<double>(count) / static_cast<double>(latency.count());
  });
  constexpr double kRoom = 1.3;  // for the names of the percentiles, above the bars
  const PlotAxis y = PlotAxis::Linear(kRoom * *std::max_element(share.begin(), share.end()), kBottom, kTop);
  std::string out = Frame(x, y, absl::StrCat("Latency at ", LoadName(setup, point)), "latency, ms (logarithmic)",
                          "share of answers, %");
  const double step = kChartWidth / kBars;
  for (int i = 0; i < kBars; ++i) {
    if (share[i] == 0) continue;
    const double top = std::min(y.At(share[i]), kBottom - 0.5);  // a trace of what is rare
    absl::StrAppendFormat(&out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"#93c5fd\"/>\n",
                          kLeft1 + i * step, top, step - 1, kBottom - top);
  }
  if (latency.count() == 0) return out;
  struct Mark {
    const char* name;
    double q;
    const char* color;
  };
  std::string names;  // over all lines
  double text_y = kTop + 14;
  for (const Mark& mark : {Mark{"p50", 0.5, kBlue}, Mark{"p99", 0.99, kRed}, Mark{"p99.9", 0.999, kPurple}}) {
    const double ms = Ms(latency.Quantile(mark.q)), at = x.At(ms);
    const bool left = at > kLeft1 + kChartWidth * (mark.q == 0.5 ? 0.25 : 0.75);  // where there is room
    out += Line(at, kTop, at, kBottom, mark.color, " stroke-width=\"1.5\" stroke-dasharray=\"5 4\"");
    names += Text(left ? at - 6 : at + 6, text_y, left ? "end" : "start",
                  absl::StrCat(mark.name, " ", ms < 1000 ? absl::StrFormat("%.3g", ms) : TickText(ms), " ms"),
                  mark.color, " class=\"halo\"");
    text_y += 18;
  }
  return out + names;
}

std::string Curve(const std::vector<BenchPoint>& points, const PlotAxis& x, const PlotAxis& y, double q,
                  const char* color) {
  std::string path, dots;
  for (const BenchPoint& point : points) {
    const double at_x = x.At(point.images_per_second()), at_y = y.At(Ms(point.total.latency.Quantile(q)));
    absl::StrAppendFormat(&path, "%s%.1f,%.1f", path.empty() ? "" : " ", at_x, at_y);
    absl::StrAppendFormat(&dots, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" fill=\"%s\"/>\n", at_x, at_y, color);
  }
  return absl::StrFormat("<polyline points=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"/>\n%s", path, color,
                         dots);
}

std::string ThroughputChart(const BenchSetup& setup, const std::vector<BenchPoint>& points) {
  double most = 0, lowest = 1e9, highest = 0;
  for (const BenchPoint& point : points) {
    most = std::max(most, point.images_per_second());
    lowest = std::min(lowest, Ms(point.total.latency.Quantile(0.5)));
    highest = std::max(highest, Ms(point.total.latency.Quantile(0.99)));
  }
  const PlotAxis x = PlotAxis::Linear(most, kLeft2, kLeft2 + kChartWidth);
  const PlotAxis y = PlotAxis::Log(lowest, highest, kBottom, kTop);
  std::string out = Frame(x, y, "Latency over throughput", "images per second", "latency, ms (logarithmic)");
  out += Curve(points, x, y, 0.5, kBlue) + Curve(points, x, y, 0.99, kRed);
  for (const BenchPoint& point : points) {
    out += Text(x.At(point.images_per_second()) + 8, y.At(Ms(point.total.latency.Quantile(0.99))) + 4, "start",
                TickText(static_cast<double>(point.load)), kInk, " font-size=\"11\" class=\"halo\"");
  }
  const double right = kLeft2 + kChartWidth;
  out += Text(right - 40, kTop - 16, "end",
              setup.options.open_loop() ? "requests a second asked for:" : "with so many in flight:", kInk,
              " font-size=\"11\"");
  out += Text(right - 4, kTop - 16, "end", "p99", kRed) + Text(right + 28, kTop - 16, "end", "p50", kBlue);
  return out;
}

}  // namespace

std::string FormatBenchPlot(const BenchSetup& setup, const std::vector<BenchPoint>& points) {
  const BenchPoint& best = *std::max_element(points.begin(), points.end(), [](const auto& a, const auto& b) {
    return a.images_per_second() < b.images_per_second();
  });
  const BenchOptions& o = setup.options;
  const std::string what =
      absl::StrCat("model ", setup.model, " ", setup.version, "; ", ModeName(o.mode), ", ", o.images_per_message,
                   o.images_per_message == 1 ? " image" : " images", " a message; ", setup.pictures, "; ",
                   o.open_loop() ? "open loop, latency from the due time" : "closed loop, latency from sending");
  return absl::StrCat(
      absl::StrFormat("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" "
                      "height=\"%.0f\" font-family=\"system-ui, sans-serif\" font-size=\"13\" role=\"img\">\n",
                      kWidth, kHeight, kWidth, kHeight),
      "<title>digitctl bench</title>\n",
      "<style>.halo { paint-order: stroke; stroke: #ffffff; stroke-width: 4px; stroke-linejoin: round; }</style>\n",
      "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
      Text(20, 28, "start", absl::StrCat("digitd ", setup.server_version, " at ", setup.server), "#111827",
           " font-size=\"17\" font-weight=\"600\""),
      Text(20, 50, "start", what), LatencyChart(setup, best), ThroughputChart(setup, points), "</svg>\n");
}

}  // namespace digit
