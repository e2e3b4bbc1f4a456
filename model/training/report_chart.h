// Pictures of the training report: line charts as SVG, handwriting as bitmaps.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace digit {

// An <svg> of two lines over the epochs 1..n, on a logarithmic scale, in the classes "first" and "second" (report.cc
// colours them). `title` is for people who cannot see it.
std::string FormatChart(const std::vector<double>& first, const std::vector<double>& second, absl::string_view title);

// A Windows bitmap, 8 bits grey, of one kImagePixels-sized picture: what every browser reads and needs no compressor.
std::string FormatBitmap(absl::Span<const uint8_t> pixels);

}  // namespace digit
