#include "model/image/ink.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "model/image/paper_fit.h"

namespace digit {
namespace {

using Histogram = std::array<int64_t, 256>;

// Counts the values 0..N-1 that `value_of` gives for 0 <= i < count. Four tables in turn: most pixels are paper and
// fall into a few bins, and adding to one bin twice in a row waits for memory.
template <size_t N, typename ValueOf>
std::array<int64_t, N> CountValues(size_t count, ValueOf value_of) {
  std::array<std::array<uint32_t, N>, 4> tables{};
  for (size_t i = 0; i < count; ++i) ++tables[i % 4][value_of(i)];
  std::array<int64_t, N> counts{};
  for (size_t v = 0; v < N; ++v) counts[v] = int64_t{tables[0][v]} + tables[1][v] + tables[2][v] + tables[3][v];
  return counts;
}

// What the differences between a picture and its paper look like.
struct Differences {
  Histogram darker{};   // by how many grey levels below the paper
  Histogram lighter{};  // above
};

Differences CountDifferences(const GreyPicture& light, const GreyPicture& paper) {
  const auto counts =
      CountValues<511>(light.pixels.size(), [&](size_t i) { return 255 + light.pixels[i] - paper.pixels[i]; });
  Differences differences;
  std::copy(counts.begin() + 255, counts.end(), differences.lighter.begin());
  std::reverse_copy(counts.begin(), counts.begin() + 255, differences.darker.begin() + 1);
  return differences;
}

// Standard deviation of the paper's grain, from the median absolute difference: ink is too rare to move it.
double GrainOf(const Differences& differences, size_t num_pixels) {
  int64_t seen = 0;
  int median = 0;
  for (; median < 255; ++median) {
    seen += differences.darker[median] + differences.lighter[median];
    if (seen * 2 >= static_cast<int64_t>(num_pixels)) break;
  }
  return 1.4826 * median;  // of a normal distribution
}

// Half of the pixels differ from their right neighbour by at most this.
int MedianStep(const GreyPicture& light) {
  Histogram steps{};
  for (int y = 0; y < light.height; ++y) {
    const uint8_t* row = light.Row(y);
    for (int x = 0; x + 1 < light.width; ++x) ++steps[std::abs(row[x + 1] - row[x])];
  }
  const int64_t num_steps = int64_t{light.height} * (light.width - 1);
  int median = 0;
  for (int64_t seen = steps[0]; median < 255 && seen * 2 < num_steps;) seen += steps[++median];
  return median;
}

// How much stands out on one side.
double InkMass(const Histogram& histogram, double grain) {
  double mass = 0;
  for (int d = static_cast<int>(3 * grain) + 8; d < 256; ++d) mass += static_cast<double>(histogram[d]) * d;
  return mass;
}

// The level that `count` pixels reach.
int LevelOfTop(const Histogram& histogram, int64_t count) {
  int level = 255;
  for (int64_t seen = histogram[255]; level > 0 && seen < count; seen += histogram[level]) --level;
  return level;
}

// Full ink: the usual level of what is clearly ink.
int InkLevel(const Histogram& histogram, int peak) {
  int64_t num_ink = 0;
  for (int d = peak / 2; d < 256; ++d) num_ink += histogram[d];
  return LevelOfTop(histogram, (num_ink + 1) / 2);
}

// Contrast 0..255 of every pixel with the paper under it. Light falls on ink and paper alike, so dark ink is measured
// as a part of the paper's brightness.
GreyPicture Contrast(const GreyPicture& light, const GreyPicture& paper, bool dark_ink) {
  constexpr int kDarkestPaper = 32;
  std::array<uint32_t, 256> scale;  // 255 / brightness, in 1/65536
  for (int b = 0; b < 256; ++b) scale[b] = (255u << 16) / static_cast<uint32_t>(std::max(b, kDarkestPaper));
  GreyPicture contrast{light.width, light.height, std::vector<uint8_t>(light.pixels.size())};
  for (size_t i = 0; i < light.pixels.size(); ++i) {
    const int b = paper.pixels[i];
    const int d = std::max(0, dark_ink ? b - light.pixels[i] : light.pixels[i] - b);
    const uint32_t c = dark_ink ? (static_cast<uint32_t>(d) * scale[b] + 32768) >> 16 : static_cast<uint32_t>(d);
    contrast.pixels[i] = static_cast<uint8_t>(std::min(c, 255u));
  }
  return contrast;
}

}  // namespace

absl::StatusOr<GreyPicture> FindInk(const GreyPicture& light) {
  const GreyPicture paper = FitPaper(light);
  const Differences differences = CountDifferences(light, paper);
  const int middle_paper = paper.At(light.width / 2, light.height / 2);
  double raw_grain = GrainOf(differences, light.pixels.size());
  const int median_step = MedianStep(light);
  // Paper so bright or dark that half of its grain is cut off, and the median difference with it.
  if (middle_paper <= 3 || middle_paper >= 252) raw_grain = std::max(raw_grain, 1.6 * median_step);
  const bool dark_ink = InkMass(differences.darker, raw_grain) >= InkMass(differences.lighter, raw_grain);
  GreyPicture ink = Contrast(light, paper, dark_ink);
  const double scale = dark_ink ? 255.0 / std::max(middle_paper, 32) : 1;
  double grain = raw_grain * scale;

  const Histogram histogram = CountValues<256>(ink.pixels.size(), [&](size_t i) { return ink.pixels[i]; });
  const int64_t num_top = std::max<int64_t>(4, static_cast<int64_t>(ink.pixels.size() / 2000));
  const int peak = LevelOfTop(histogram, num_top);
  // Bold ink on a third of the picture passes for grain; neighbours (grain as it is makes a median step of its standard
  // deviation) tell them apart. Not for weak contrast: shadows are smooth too.
  if (peak >= 64) grain = std::min(grain, 2 * scale * median_step);
  if (peak < kLeastContrast || peak < 6 * grain) return absl::NotFoundError("no digit found: the picture is blank");
  const int level = InkLevel(histogram, peak);
  const double floor = std::min(3.5 * grain, 0.5 * level);  // what grain alone reaches in one pixel of 4,000
  std::array<uint8_t, 256> ink_of;
  for (int c = 0; c < 256; ++c) {
    ink_of[c] = static_cast<uint8_t>(std::lround(std::clamp((c - floor) / (level - floor), 0.0, 1.0) * 255));
  }
  for (uint8_t& c : ink.pixels) c = ink_of[c];
  return ink;
}

bool HasBrightBorder(const GreyPicture& light) {
  int64_t num_bright = 0, num_pixels = 0;
  const auto count = [&](int x, int y) {
    num_bright += light.At(x, y) >= 128;
    ++num_pixels;
  };
  for (int x = 0; x < light.width; ++x) {
    count(x, 0);
    count(x, light.height - 1);
  }
  for (int y = 0; y < light.height; ++y) {
    count(0, y);
    count(light.width - 1, y);
  }
  return num_bright * 2 > num_pixels;
}

}  // namespace digit
