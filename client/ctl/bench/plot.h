// What a benchmark found, as a picture.
#pragma once

#include <string>
#include <vector>

#include "client/ctl/bench/result.h"

namespace digit {

// An SVG of two charts: how the latencies of the point with the highest throughput are spread (logarithmic, with p50,
// p99 and p99.9), and latency over throughput of all points. No script, no outside reference; texts are escaped.
// `points` has at least one.
std::string FormatBenchPlot(const BenchSetup& setup, const std::vector<BenchPoint>& points);

}  // namespace digit
