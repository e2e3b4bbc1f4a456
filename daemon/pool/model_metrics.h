// What is counted of a model's images while they are served, all its versions together.
#pragma once

#include <array>

#include "absl/strings/string_view.h"
#include "base/telemetry/metric_registry.h"
#include "daemon/batching/queue_metrics.h"
#include "daemon/batching/task.h"

namespace digit {

// What an image got for an answer: a verdict, or the reason for an error.
enum class ImageOutcome {
  kConfident,
  kUnsure,
  kNotADigit,
  kNone,  // a prediction of a model without thresholds
  kNoDigit,
  kUndecodable,
  kTooLarge,
  kOverloaded,
  kExpired,
  kInternal,
};
inline constexpr int kNumImageOutcomes = 10;

// Not owned; null: not counted. All of one model's point to the same.
struct ModelMetrics {
  QueueMetrics queue;
  Histogram* batch_size = nullptr;
  Histogram* compute = nullptr;
  std::array<Counter*, kNumCutReasons> cuts = {};
  std::array<Counter*, kNumImageOutcomes> images = {};

  void CountBatch(int num_images, CutReason reason, absl::Duration took) const {
    if (batch_size == nullptr) return;
    batch_size->Observe(num_images);
    compute->Observe(took);
    if (Counter* const cut = cuts[static_cast<size_t>(reason)]) cut->Add();
  }
  void CountImages(ImageOutcome outcome, int64_t num_images) const {
    Counter* const counter = images[static_cast<size_t>(outcome)];
    if (counter != nullptr) counter->Add(num_images);
  }
};

class ModelMetricFamilies {
 public:
  explicit ModelMetricFamilies(MetricRegistry* metrics);
  // All there.
  ModelMetrics Of(absl::string_view model) const;

 private:
  HistogramFamily& queue_wait_;
  CounterFamily& refused_;
  HistogramFamily& batch_size_;
  CounterFamily& cuts_;
  HistogramFamily& compute_;
  CounterFamily& images_;
};

}  // namespace digit
