#include "daemon/pool/model_metrics.h"

namespace digit {
namespace {

constexpr std::array<absl::string_view, kNumImageOutcomes> kOutcomeNames = {
    "confident",   "unsure",    "not_a_digit", "none",    "no_digit",
    "undecodable", "too_large", "overloaded",  "expired", "internal"};

}  // namespace

ModelMetricFamilies::ModelMetricFamilies(MetricRegistry* metrics)
    : queue_wait_(metrics->AddHistograms("digit_queue_wait_seconds",
                                         "Time from entering a model's queue to the cut of the batch, of each task.",
                                         {"model"}, Histogram::Seconds())),
      refused_(metrics->AddCounters("digit_refused_total",
                                    "Images that a model's queue refused, or let in and did not run.",
                                    {"model", "reason"})),
      batch_size_(
          metrics->AddHistograms("digit_batch_size", "Images that ran together.", {"model"}, Histogram::PowersOfTwo())),
      cuts_(metrics->AddCounters("digit_batch_cut_total", "Batches that ran, by why they were no larger.",
                                 {"model", "reason"})),
      compute_(metrics->AddHistograms("digit_compute_seconds", "Time of a batch in the engine.", {"model"},
                                      Histogram::Seconds())),
      images_(metrics->AddCounters("digit_images_total",
                                   "Images answered, by verdict (none: the model has no thresholds) or error.",
                                   {"model", "outcome"})) {}

ModelMetrics ModelMetricFamilies::Of(absl::string_view model) const {
  ModelMetrics of_model{.queue = {.wait = &queue_wait_.With({model})},
                        .batch_size = &batch_size_.With({model}),
                        .compute = &compute_.With({model})};
  for (int i = 0; i < kNumRefusals; ++i) {
    of_model.queue.refused[i] = &refused_.With({model, NameOf(static_cast<Refusal>(i))});
  }
  for (int i = 1; i < kNumCutReasons; ++i) {  // a batch that runs has a reason
    of_model.cuts[i] = &cuts_.With({model, NameOf(static_cast<CutReason>(i))});
  }
  for (int i = 0; i < kNumImageOutcomes; ++i) of_model.images[i] = &images_.With({model, kOutcomeNames[i]});
  return of_model;
}

}  // namespace digit
