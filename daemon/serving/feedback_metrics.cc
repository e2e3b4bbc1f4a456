#include "daemon/serving/feedback_metrics.h"

#include <functional>
#include <utility>

namespace digit {
namespace {

using PullVersion = std::function<void(const ModelStats&, const VersionStats&, Samples*)>;

// Adds a gauge that is pulled from each version that is loaded.
void AddForVersions(MetricRegistry* metrics, Corrections* corrections, const std::string& name, const std::string& help,
                    const MetricRegistry::LabelNames& labels, PullVersion pull) {
  metrics->AddPulled(MetricType::kGauge, name, help, labels, [corrections, pull = std::move(pull)](Samples* samples) {
    for (const ModelStats& model : corrections->LatestStats()) {
      for (const VersionStats& version : model.versions) {
        if (version.answers.has_value()) pull(model, version, samples);
      }
    }
  });
}

// The latest thousand answers or two; all, while there are fewer.
const AnswerTally& LatestOf(const VersionStats& version) {
  return version.answers->latest.has_value() ? *version.answers->latest : version.answers->all;
}

absl::string_view LabelOf(const ModelStats& model, size_t place) {
  return place < model.labels.size() ? model.labels[place] : absl::string_view("not_a_digit");
}

void PullConfusion(const ModelStats& model, const VersionStats& version, Samples* samples) {
  if (&version != &model.versions.front()) return;  // not the live one
  const size_t side = model.labels.size() + 1;
  for (size_t i = 0; i < version.confusion.size(); ++i) {
    if (version.confusion[i] == 0) continue;
    samples->Add({model.model, version.version, LabelOf(model, i / side), LabelOf(model, i % side)},
                 static_cast<double>(version.confusion[i]));
  }
}

}  // namespace

void AddModelStatsMetrics(MetricRegistry* metrics, Corrections* corrections) {
  AddForVersions(metrics, corrections, "digit_mean_confidence",
                 "Mean confidence of a version's latest answers (a thousand or two).", {"model", "version"},
                 [](const ModelStats& model, const VersionStats& version, Samples* samples) {
                   const AnswerTally& latest = LatestOf(version);
                   const auto images = static_cast<double>(latest.images());
                   if (images > 0) samples->Set({model.model, version.version}, latest.confidence / images);
                 });
  AddForVersions(metrics, corrections, "digit_answer_share",
                 "Share of a version's latest answers (a thousand or two) that have this verdict.",
                 {"model", "version", "verdict"},
                 [](const ModelStats& model, const VersionStats& version, Samples* samples) {
                   const AnswerTally& latest = LatestOf(version);
                   const auto images = static_cast<double>(latest.images());
                   if (images == 0) return;
                   const auto unsure = static_cast<double>(latest.unsure);
                   const auto not_a_digit = static_cast<double>(latest.classes.back());
                   samples->Set({model.model, version.version, "unsure"}, unsure / images);
                   samples->Set({model.model, version.version, "not_a_digit"}, not_a_digit / images);
                 });
  AddForVersions(metrics, corrections, "digit_drift_psi",
                 "Population stability index of the answers of a version: its latest against its first ones.",
                 {"model", "version"}, [](const ModelStats& model, const VersionStats& version, Samples* samples) {
                   if (version.drift.has_value()) samples->Set({model.model, version.version}, *version.drift);
                 });
  AddForVersions(metrics, corrections, "digit_feedback_corrections",
                 "Corrections of a version that are not rejected, by whether its answer was right.",
                 {"model", "version", "answer"},
                 [](const ModelStats& model, const VersionStats& version, Samples* samples) {
                   if (!model.corrections.ok()) return;
                   const auto wrong = static_cast<double>(version.corrections - version.confirmed);
                   samples->Set({model.model, version.version, "right"}, static_cast<double>(version.confirmed));
                   samples->Set({model.model, version.version, "wrong"}, wrong);
                 });
  AddForVersions(
      metrics, corrections, "digit_confusion",
      "Corrections of the live version, by the right label and the one that was answered; zeros are left out.",
      {"model", "version", "label", "answered"}, PullConfusion);
}

FeedbackMetrics::FeedbackMetrics(MetricRegistry* metrics)
    : corrections_(metrics->AddCounters("digit_feedback_total",
                                        "Corrections that came in, by what became of them; to a name that is no "
                                        "model's, without a model.",
                                        {"model", "outcome"})) {}

Corrections::Done<FeedbackStore::Added> FeedbackMetrics::Counted(const ModelRegistry& registry,
                                                                 const std::string& model,
                                                                 Corrections::Done<FeedbackStore::Added> done) {
  const absl::StatusOr<ModelHandle> found = registry.Find(model, "");
  return [this, name = found.ok() ? (*found)->name : "",
          done = std::move(done)](absl::StatusOr<FeedbackStore::Added> added) {
    const absl::string_view outcome = !added.ok() ? "refused" : added->duplicate ? "duplicate" : "stored";
    corrections_.With({name, outcome}).Add();
    done(std::move(added));
  };
}

}  // namespace digit
