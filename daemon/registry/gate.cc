#include "daemon/registry/gate.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/check.h"
#include "base/status.h"

namespace digit {
namespace {

constexpr double kSignificant = 0.05;
constexpr double kLargestFall = 0.01;  // of a class's accuracy
constexpr double kLeastAgreement = 0.99;

double Percent(int part, int whole) { return whole == 0 ? 0 : 100.0 * part / whole; }

// The class whose accuracy falls by more than kLargestFall, and by how much; empty: none.
std::string FallenClass(absl::Span<const uint8_t> labels, absl::Span<const int> live, absl::Span<const int> candidate) {
  struct Counts {
    int images = 0, live = 0, candidate = 0;
  };
  std::map<int, Counts> by_class;
  for (size_t i = 0; i < labels.size(); ++i) {
    Counts& counts = by_class[labels[i]];
    ++counts.images;
    counts.live += live[i] == labels[i] ? 1 : 0;
    counts.candidate += candidate[i] == labels[i] ? 1 : 0;
  }
  for (const auto& [label, counts] : by_class) {
    if (counts.live - counts.candidate > kLargestFall * counts.images) {
      return absl::StrFormat("class %d falls from %.2f %% to %.2f %%", label, Percent(counts.live, counts.images),
                             Percent(counts.candidate, counts.images));
    }
  }
  return "";
}

}  // namespace

std::string GateReport::ToString() const {
  if (!labelled) {
    return absl::StrFormat("%.2f %% agreement with the live version on %d generated digits (no labelled data given)",
                           Percent(images - worse, images), images);
  }
  return absl::StrFormat("%.2f %% of %d labelled pictures, the live version %.2f %%; McNemar's p = %.3g",
                         Percent(candidate_right, images), images, Percent(live_right, images), p_worse);
}

double McNemarP(int worse, int better) {
  const int n = worse + better;
  double tail = 0;  // P(at most min(worse, better) of n fair coins)
  for (int k = 0; k <= std::min(worse, better); ++k) {
    tail += std::exp(std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) - n * std::log(2.0));
  }
  return std::min(1.0, 2 * tail);
}

absl::Status Judge(absl::Span<const uint8_t> labels, absl::Span<const int> live, absl::Span<const int> candidate,
                   GateReport* report) {
  DIGIT_CHECK(live.size() == candidate.size() && (labels.empty() || labels.size() == live.size()));
  *report = {.labelled = !labels.empty(), .images = static_cast<int>(live.size())};
  if (labels.empty()) {
    for (size_t i = 0; i < live.size(); ++i) report->worse += live[i] != candidate[i] ? 1 : 0;
    if (report->images - report->worse >= kLeastAgreement * report->images) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat("the gate refused it: ", report->ToString(), ", at least 99 % are needed"));
  }
  for (size_t i = 0; i < labels.size(); ++i) {
    const bool live_is_right = live[i] == labels[i], candidate_is_right = candidate[i] == labels[i];
    report->live_right += live_is_right ? 1 : 0;
    report->candidate_right += candidate_is_right ? 1 : 0;
    report->worse += live_is_right && !candidate_is_right ? 1 : 0;
    report->better += !live_is_right && candidate_is_right ? 1 : 0;
  }
  report->p_worse = McNemarP(report->worse, report->better);
  if (report->worse > report->better && report->p_worse < kSignificant) {
    return absl::FailedPreconditionError(absl::StrCat("the gate refused it as worse: ", report->ToString()));
  }
  const std::string fallen = FallenClass(labels, live, candidate);
  if (fallen.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the gate refused it: ", fallen, ", one point is allowed; ", report->ToString()));
}

absl::StatusOr<std::vector<int>> ClassesOf(InferenceEngine& engine, absl::Span<const uint8_t> pixels,
                                           absl::FunctionRef<void()> rest) {
  constexpr size_t kBatch = 8;
  const size_t classes = engine.num_classes();
  std::vector<int> found;
  std::vector<float> scores;
  for (; !pixels.empty(); pixels.remove_prefix(std::min(pixels.size(), kBatch * kImagePixels))) {
    const absl::Span<const uint8_t> batch = pixels.subspan(0, kBatch * kImagePixels);
    const size_t images = batch.size() / kImagePixels;
    scores.resize(images * classes);
    RETURN_IF_ERROR(engine.Infer(batch, absl::MakeSpan(scores)));
    for (size_t i = 0; i < images; ++i) {
      const auto row = scores.begin() + static_cast<int64_t>(i * classes);
      if (!std::all_of(row, row + static_cast<int64_t>(classes), [](float v) { return std::isfinite(v); })) {
        return absl::FailedPreconditionError(absl::StrCat("its outputs for picture ", found.size(), " are not finite"));
      }
      found.push_back(static_cast<int>(std::max_element(row, row + static_cast<int64_t>(classes)) - row));
    }
    rest();
  }
  return found;
}

}  // namespace digit
