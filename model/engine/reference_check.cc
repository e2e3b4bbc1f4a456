#include "model/engine/reference_check.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/engine/digit_cnn.h"
#include "model/engine/scalar_reference.h"

namespace digit {
namespace {

// Of max(1, largest |logit|).
float ToleranceOf(Precision precision) { return precision == Precision::kHalf ? 2e-2f : 1e-4f; }

constexpr int kGeneratedImages = 8;

using Row = absl::Span<const float>;

int ArgMax(Row row) { return static_cast<int>(std::max_element(row.begin(), row.end()) - row.begin()); }

// Paper, ink, and ramps of several slopes that wrap around: every pixel and grey value takes part.
std::vector<uint8_t> GeneratedPixels() {
  std::vector<uint8_t> pixels;
  for (int image = 0; image < kGeneratedImages; ++image) {
    for (int i = 0; i < kImagePixels; ++i) {
      pixels.push_back(static_cast<uint8_t>(image < 2 ? image * 255 : i * (2 * image + 1) / (image % 3 + 1)));
    }
  }
  return pixels;
}

absl::StatusOr<std::vector<float>> InferInGrowingBatches(InferenceEngine& engine, absl::Span<const uint8_t> pixels) {
  const size_t images = pixels.size() / kImagePixels, classes = static_cast<size_t>(engine.num_classes());
  std::vector<float> scores(images * classes);
  for (size_t begin = 0, n = 1; begin < images; begin += n, n = std::min(2 * n, images - begin)) {
    RETURN_IF_ERROR(engine.Infer(pixels.subspan(begin * kImagePixels, n * kImagePixels),
                                 absl::MakeSpan(scores).subspan(begin * classes, n * classes)));
  }
  return scores;
}

absl::Status CheckFinite(Row row, int image, absl::string_view engine) {
  for (size_t i = 0; i < row.size(); ++i) {
    if (!std::isfinite(row[i])) {
      return absl::InvalidArgumentError(
          absl::StrCat("output ", i, " of the ", engine, " engine is ", row[i], " for check image ", image));
    }
  }
  return absl::OkStatus();
}

absl::Status CompareRow(Row got, Row want, float tolerance, int image, absl::string_view engine) {
  float largest = 1;
  for (float logit : want) largest = std::max(largest, std::abs(logit));
  const float allowed = tolerance * largest;
  for (size_t i = 0; i < want.size(); ++i) {
    const float error = std::abs(got[i] - want[i]);
    if (error <= allowed) continue;
    return absl::InvalidArgumentError(absl::StrCat("output ", i, " of the ", engine, " engine for check image ", image,
                                                   " is ", got[i], ", the reference is ", want[i], ": off by ", error,
                                                   ", allowed ", allowed));
  }
  const int got_class = ArgMax(got), want_class = ArgMax(want);
  const float margin = want[want_class] - want[got_class];
  if (margin <= allowed) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the ", engine, " engine puts check image ", image, " into class ",
                                                 got_class, ", the reference into ", want_class, " by a margin of ",
                                                 margin, ", allowed ", allowed));
}

std::vector<float> ScalarScores(const DigitCnn& net, absl::Span<const uint8_t> pixels) {
  const size_t images = pixels.size() / kImagePixels, classes = static_cast<size_t>(net.num_classes);
  std::vector<float> scores(images * classes);
  for (size_t i = 0; i < images; ++i) {
    ScalarForward(net, pixels.subspan(i * kImagePixels, kImagePixels),
                  absl::MakeSpan(scores).subspan(i * classes, classes));
  }
  return scores;
}

}  // namespace

absl::Status CheckReference(InferenceEngine& engine, const Model& model) {
  const size_t classes = static_cast<size_t>(engine.num_classes());
  if (model.spec.labels.size() != classes) {
    return absl::InvalidArgumentError(
        absl::StrCat("the model has ", model.spec.labels.size(), " labels, the engine gives ", classes, " outputs"));
  }
  std::vector<uint8_t> pixels = model.spec.reference.pixels;
  std::vector<float> expected = model.spec.reference.logits;  // empty: only finite outputs can be asked for
  if (pixels.empty()) {
    pixels = GeneratedPixels();
    if (model.is_digit_cnn) {
      ASSIGN_OR_RETURN(const DigitCnn net, FindDigitCnn(model.file.tensors));
      expected = ScalarScores(net, pixels);
    }
  }
  ASSIGN_OR_RETURN(const std::vector<float> scores, InferInGrowingBatches(engine, pixels));
  for (size_t i = 0; i < pixels.size() / kImagePixels; ++i) {
    const Row row = absl::MakeConstSpan(scores).subspan(i * classes, classes);
    RETURN_IF_ERROR(CheckFinite(row, static_cast<int>(i), engine.name()));
    if (expected.empty()) continue;
    RETURN_IF_ERROR(CompareRow(row, absl::MakeConstSpan(expected).subspan(i * classes, classes),
                               ToleranceOf(engine.precision()), static_cast<int>(i), engine.name()));
  }
  return absl::OkStatus();
}

}  // namespace digit
