#include "model/training/report_chart.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/spec/model_spec.h"

namespace digit {
namespace {

constexpr double kWidth = 440, kHeight = 240;
constexpr double kLeft = 44, kRight = 12, kTop = 10, kBottom = 26;

// From values to places in the picture.
class Scale {
 public:
  Scale(const std::vector<double>& first, const std::vector<double>& second) : epochs_(first.size()) {
    double low = 1e300, high = 0;
    for (const auto* values : {&first, &second}) {
      for (double value : *values) {
        if (value <= 0) continue;  // nothing to draw on a logarithmic scale
        low = std::min(low, value);
        high = std::max(high, value);
      }
    }
    if (high == 0) low = high = 1;
    low_ = std::log(low / 1.2);
    high_ = std::log(high * 1.2);
  }
  double X(size_t epoch) const {
    const double part = epochs_ < 2 ? 0.5 : static_cast<double>(epoch) / static_cast<double>(epochs_ - 1);
    return kLeft + part * (kWidth - kLeft - kRight);
  }
  double Y(double value) const {
    const double part = (std::log(std::max(value, 1e-300)) - low_) / (high_ - low_);
    return kHeight - kBottom - std::clamp(part, 0.0, 1.0) * (kHeight - kTop - kBottom);
  }
  // 1, 2 and 5 times powers of ten within the range.
  std::vector<double> Ticks() const {
    std::vector<double> ticks;
    for (int power = -9; power <= 9; ++power) {
      for (int digit : {1, 2, 5}) {
        const double value = digit * std::pow(10.0, power);
        if (std::log(value) >= low_ && std::log(value) <= high_) ticks.push_back(value);
      }
    }
    return ticks;
  }

 private:
  const size_t epochs_;
  double low_, high_;
};

std::string Line(const std::vector<double>& values, const Scale& scale, absl::string_view style) {
  std::string points, dots;
  for (size_t i = 0; i < values.size(); ++i) {
    const std::string x = absl::StrFormat("%.1f", scale.X(i)), y = absl::StrFormat("%.1f", scale.Y(values[i]));
    absl::StrAppend(&points, x, ",", y, " ");
    absl::StrAppend(&dots, "<circle class=\"", style, "\" r=\"2.5\" cx=\"", x, "\" cy=\"", y, "\"><title>epoch ", i + 1,
                    ": ", absl::StrFormat("%.4g", values[i]), "</title></circle>");
  }
  return absl::StrCat("<polyline class=\"", style, "\" points=\"", points, "\"/>", dots);
}

}  // namespace

std::string FormatChart(const std::vector<double>& first, const std::vector<double>& second, absl::string_view title) {
  const Scale scale(first, second);
  std::string svg = absl::StrFormat("<svg viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"%s by epoch\">", kWidth,
                                    kHeight, std::string(title));
  for (double tick : scale.Ticks()) {
    absl::StrAppend(&svg, absl::StrFormat("<line class=\"grid\" x1=\"%g\" x2=\"%g\" y1=\"%.1f\" y2=\"%.1f\"/>"
                                          "<text x=\"%g\" y=\"%.1f\" text-anchor=\"end\">%g</text>",
                                          kLeft, kWidth - kRight, scale.Y(tick), scale.Y(tick), kLeft - 6,
                                          scale.Y(tick) + 4, tick));
  }
  const size_t stride = std::max<size_t>(1, (first.size() + 9) / 10);  // at most ten numbers
  for (size_t i = 0; i < first.size(); i += stride) {
    absl::StrAppend(&svg, absl::StrFormat("<text x=\"%.1f\" y=\"%g\" text-anchor=\"middle\">%d</text>", scale.X(i),
                                          kHeight - 8, i + 1));
  }
  return absl::StrCat(svg, Line(first, scale, "first"), Line(second, scale, "second"), "</svg>");
}

std::string FormatBitmap(absl::Span<const uint8_t> pixels) {
  constexpr uint32_t kPalette = 256 * 4, kHeader = 14 + 40 + kPalette;
  static_assert(kImageSide % 4 == 0, "rows are padded to 4 bytes");
  std::string bytes = "BM";
  const auto put = [&bytes](uint32_t value, int size) {
    for (int i = 0; i < size; ++i) bytes.push_back(static_cast<char>(value >> (8 * i) & 0xff));
  };
  put(kHeader + kImagePixels, 4);
  put(0, 4);
  put(kHeader, 4);
  put(40, 4);  // BITMAPINFOHEADER
  put(kImageSide, 4);
  put(kImageSide, 4);
  put(1, 2);
  put(8, 2);
  for (int i = 0; i < 6; ++i) put(0, 4);  // not compressed, sizes by default
  for (uint32_t grey = 0; grey < 256; ++grey) put(grey * 0x010101, 4);
  for (int row = kImageSide - 1; row >= 0; --row) {  // bottom-up
    for (int column = 0; column < kImageSide; ++column) {
      bytes.push_back(static_cast<char>(pixels[row * kImageSide + column]));
    }
  }
  return bytes;
}

}  // namespace digit
