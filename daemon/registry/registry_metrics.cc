#include "daemon/registry/registry_metrics.h"

#include <functional>
#include <utility>

namespace digit {
namespace {

absl::string_view NameOf(ModelState state) {
  switch (state) {
    case ModelState::kLoading:
      return "loading";
    case ModelState::kChecking:
      return "checking";
    case ModelState::kWarming:
      return "warming";
    case ModelState::kLive:
      return "live";
    case ModelState::kCandidate:
      return "candidate";
    case ModelState::kKept:
      return "kept";
    case ModelState::kDraining:
      return "draining";
    case ModelState::kRetired:
      return "retired";
    case ModelState::kRefused:
      return "refused";
  }
  return "unknown";
}

absl::string_view OutcomeOf(const absl::StatusOr<ModelRegistry::Reloaded>& reloaded) {
  if (reloaded.ok()) {
    if (!reloaded->refused.empty()) return "refused";
    return reloaded->changed ? "loaded" : "unchanged";
  }
  return absl::IsFailedPrecondition(reloaded.status()) ? "refused" : "failed";
}

// Adds a metric that is pulled from the description of each model.
void AddForModels(MetricRegistry* metrics, const ModelRegistry* registry, MetricType type, const std::string& name,
                  const std::string& help, const MetricRegistry::LabelNames& labels,
                  std::function<void(const ModelDescription&, Samples*)> pull) {
  metrics->AddPulled(type, name, help, labels, [registry, pull = std::move(pull)](Samples* samples) {
    for (const std::string& model : registry->Names()) {
      const absl::StatusOr<ModelDescription> description = registry->Describe(model);
      if (description.ok()) pull(*description, samples);  // else it has just been dropped
    }
  });
}

}  // namespace

void AddRegistryMetrics(MetricRegistry* metrics, const ModelRegistry* registry) {
  AddForModels(metrics, registry, MetricType::kGauge, "digit_model_serving",
               "1 when an engine of the live version works, else 0.", {"model"},
               [](const ModelDescription& model, Samples* samples) { samples->Set({model.name}, model.serving); });
  AddForModels(metrics, registry, MetricType::kCounter, "digit_answers_total",
               "Answers of each version that is loaded, by label; not_a_digit and blank are labels too.",
               {"model", "version", "label"}, [](const ModelDescription& model, Samples* samples) {
                 for (const VersionRecord& version : model.versions) {
                   const ModelHandle loaded = version.model.lock();
                   if (loaded == nullptr || loaded->answers == nullptr) continue;
                   const AnswerTally all = loaded->answers->Read().all;
                   const std::vector<std::string>& labels = loaded->model->spec.labels;
                   for (size_t i = 0; i < labels.size() && i < all.classes.size(); ++i) {
                     samples->Set({model.name, version.version, labels[i]}, static_cast<double>(all.classes[i]));
                   }
                   const auto not_a_digit = static_cast<double>(all.classes.empty() ? 0 : all.classes.back());
                   samples->Set({model.name, version.version, "not_a_digit"}, not_a_digit);
                   samples->Set({model.name, version.version, "blank"}, static_cast<double>(all.no_digit));
                 }
               });
  AddForModels(metrics, registry, MetricType::kGauge, "digit_model_version_info",
               "1 for each version that is known, with its state.", {"model", "version", "state"},
               [](const ModelDescription& model, Samples* samples) {
                 for (const VersionRecord& version : model.versions) {
                   samples->Set({model.name, version.version, NameOf(version.state)}, 1);
                 }
               });
  AddForModels(metrics, registry, MetricType::kGauge, "digit_model_live_since_seconds",
               "When the live version went live, since 1970.", {"model", "version"},
               [](const ModelDescription& model, Samples* samples) {
                 const VersionRecord& live = model.versions.front();
                 samples->Set({model.name, live.version}, absl::ToDoubleSeconds(live.since - absl::UnixEpoch()));
               });
  AddForModels(metrics, registry, MetricType::kCounter, "digit_model_rollbacks_total",
               "Returns to the version before, asked for or automatic.", {"model"},
               [](const ModelDescription& model, Samples* samples) {
                 samples->Set({model.name}, static_cast<double>(model.rollbacks));
               });
  AddForModels(metrics, registry, MetricType::kGauge, "digit_queue_images", "Images that wait for an executor.",
               {"model"}, [](const ModelDescription& model, Samples* samples) {
                 samples->Add({model.name}, 0);
                 for (const VersionRecord& version : model.versions) {
                   const ModelHandle loaded = version.model.lock();
                   if (loaded != nullptr) samples->Add({model.name}, loaded->placed->num_queued_images());
                 }
               });
  AddForModels(metrics, registry, MetricType::kCounter, "digit_engine_failures_total",
               "How often an executor's engine of a loaded version was taken out.", {"model", "version", "executor"},
               [](const ModelDescription& model, Samples* samples) {
                 for (const VersionRecord& version : model.versions) {
                   const ModelHandle loaded = version.model.lock();
                   if (loaded == nullptr) continue;
                   for (const EngineState& engine : loaded->placed->engine_states()) {
                     samples->Add({model.name, version.version, engine.executor}, static_cast<double>(engine.failures));
                   }
                 }
               });
}

ReloadMetrics::ReloadMetrics(MetricRegistry* metrics)
    : reloads_(metrics->AddCounters("digit_model_reloads_total",
                                    "Reloads, promotions and publications, by outcome; of a name that is no model's, "
                                    "without a model.",
                                    {"model", "outcome"})) {}

void ReloadMetrics::Count(const ModelRegistry& registry, absl::string_view name,
                          const absl::StatusOr<ModelRegistry::Reloaded>& outcome) {
  const absl::StatusOr<ModelHandle> model = registry.Find(name, "");
  reloads_.With({model.ok() ? (*model)->name : "", OutcomeOf(outcome)}).Add();
}

}  // namespace digit
