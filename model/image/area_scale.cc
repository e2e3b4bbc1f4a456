#include "model/image/area_scale.h"

#include <algorithm>
#include <cmath>

namespace digit {
namespace {

// How much of source pixels first, first + 1, ... an output pixel covers; the weights of a wholly covered one sum to 1.
struct Span {
  int first = 0;
  std::vector<float> weights;
};

std::vector<Span> SpansOf(AxisMap map, int count, int begin, int end) {
  std::vector<Span> spans(count);
  for (int i = 0; i < count; ++i) {
    const double from = std::max<double>(begin, map.origin + i * map.step);
    const double to = std::min<double>(end, map.origin + (i + 1) * map.step);
    if (from >= to) continue;
    spans[i].first = static_cast<int>(std::floor(from));
    for (int at = spans[i].first; at < to; ++at) {
      const double covered = std::min<double>(to, at + 1) - std::max<double>(from, at);
      spans[i].weights.push_back(static_cast<float>(covered / map.step));
    }
  }
  return spans;
}

}  // namespace

std::vector<float> ScaleByArea(const GreyPicture& source, const PixelBox& box, AxisMap x, int columns, AxisMap y,
                               int rows) {
  const std::vector<Span> x_spans = SpansOf(x, columns, box.left, box.left + box.width);
  const std::vector<Span> y_spans = SpansOf(y, rows, box.top, box.top + box.height);
  std::vector<float> result(static_cast<size_t>(columns) * rows);
  std::vector<float> summed(box.width);  // source rows under one output row
  for (int row = 0; row < rows; ++row) {
    std::fill(summed.begin(), summed.end(), 0.0f);
    const Span& y_span = y_spans[row];
    for (size_t k = 0; k < y_span.weights.size(); ++k) {
      const uint8_t* in = source.Row(y_span.first + static_cast<int>(k)) + box.left;
      for (int i = 0; i < box.width; ++i) summed[i] += y_span.weights[k] * static_cast<float>(in[i]);
    }
    for (int column = 0; column < columns; ++column) {
      const Span& x_span = x_spans[column];
      float sum = 0;
      for (size_t k = 0; k < x_span.weights.size(); ++k) sum += x_span.weights[k] * summed[x_span.first - box.left + k];
      result[static_cast<size_t>(row) * columns + column] = sum;
    }
  }
  return result;
}

}  // namespace digit
