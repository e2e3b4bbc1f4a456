#include "model/image/paper_fit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace digit {
namespace {

constexpr int kNumTerms = 6;  // 1, x, y, x*x, x*y, y*y with x and y in -1..1
using Terms = std::array<double, kNumTerms>;

struct Sample {
  Terms terms;
  double light;
};

double Scaled(int i, int size) { return size > 1 ? 2.0 * i / (size - 1) - 1 : 0; }

Terms TermsAt(double x, double y) { return {1, x, y, x * x, x * y, y * y}; }

double Dot(const Terms& a, const Terms& b) {
  double sum = 0;
  for (int i = 0; i < kNumTerms; ++i) sum += a[i] * b[i];
  return sum;
}

// Single pixels on a grid: enough of them that noise and strokes do not matter.
std::vector<Sample> TakeSamples(const GreyPicture& light) {
  constexpr int kGrid = 24;
  const int columns = std::min(kGrid, light.width), rows = std::min(kGrid, light.height);
  std::vector<Sample> samples;
  samples.reserve(static_cast<size_t>(columns) * rows);
  for (int j = 0; j < rows; ++j) {
    const int y = (2 * j + 1) * light.height / (2 * rows);
    for (int i = 0; i < columns; ++i) {
      const int x = (2 * i + 1) * light.width / (2 * columns);
      samples.push_back(
          {TermsAt(Scaled(x, light.width), Scaled(y, light.height)), static_cast<double>(light.At(x, y))});
    }
  }
  return samples;
}

double MedianLight(const std::vector<Sample>& samples) {
  std::vector<double> values;
  values.reserve(samples.size());
  for (const Sample& sample : samples) values.push_back(sample.light);
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

// Solves a symmetric positive definite system by Gaussian elimination.
Terms Solve(std::array<Terms, kNumTerms> a, Terms b) {
  for (int i = 0; i < kNumTerms; ++i) {
    for (int j = i + 1; j < kNumTerms; ++j) {
      const double f = a[j][i] / a[i][i];
      for (int k = i; k < kNumTerms; ++k) a[j][k] -= f * a[i][k];
      b[j] -= f * b[i];
    }
  }
  for (int i = kNumTerms - 1; i >= 0; --i) {
    for (int k = i + 1; k < kNumTerms; ++k) b[i] -= a[i][k] * b[k];
    b[i] /= a[i][i];
  }
  return b;
}

// One step of iteratively reweighted least squares: weight 1/|difference| turns squares into absolute values. Digits
// stand in the middle of pictures, so the edges say more about the paper: a bold digit must not pull the surface up.
Terms Refit(const std::vector<Sample>& samples, const Terms& surface) {
  std::array<Terms, kNumTerms> a{};
  Terms b{};
  for (const Sample& sample : samples) {
    const double edge = std::max(std::abs(sample.terms[1]), std::abs(sample.terms[2]));
    const double weight = (0.2 + edge * edge) / std::max(1.0, std::abs(sample.light - Dot(surface, sample.terms)));
    for (int i = 0; i < kNumTerms; ++i) {
      const double term = weight * sample.terms[i];
      for (int k = i; k < kNumTerms; ++k) a[i][k] += term * sample.terms[k];
      b[i] += term * sample.light;
    }
  }
  for (int i = 0; i < kNumTerms; ++i) {
    for (int k = 0; k < i; ++k) a[i][k] = a[k][i];
    a[i][i] += 1e-9 * static_cast<double>(samples.size());  // pictures one or two pixels wide leave terms undetermined
  }
  return Solve(a, b);
}

}  // namespace

GreyPicture FitPaper(const GreyPicture& light) {
  const std::vector<Sample> samples = TakeSamples(light);
  Terms surface{MedianLight(samples)};
  for (int iteration = 0; iteration < 10; ++iteration) {
    const Terms before = std::exchange(surface, Refit(samples, surface));
    double change = 0;
    for (int i = 0; i < kNumTerms; ++i) change += std::abs(surface[i] - before[i]);
    if (change < 0.5) break;  // grey levels
  }
  GreyPicture paper{light.width, light.height, std::vector<uint8_t>(light.pixels.size())};
  uint8_t* out = paper.pixels.data();
  for (int row = 0; row < light.height; ++row) {
    const double y = Scaled(row, light.height);
    const float c0 = static_cast<float>(surface[0] + surface[2] * y + surface[5] * y * y) + 0.5f;
    const float c1 = static_cast<float>(surface[1] + surface[4] * y);
    const float c2 = static_cast<float>(surface[3]);
    const float step = light.width > 1 ? 2.0f / static_cast<float>(light.width - 1) : 0;
    for (int column = 0; column < light.width; ++column) {
      const float x = light.width > 1 ? static_cast<float>(column) * step - 1 : 0;
      *out++ = static_cast<uint8_t>(std::clamp(static_cast<int>(c0 + x * (c1 + x * c2)), 0, 255));
    }
  }
  return paper;
}

}  // namespace digit
