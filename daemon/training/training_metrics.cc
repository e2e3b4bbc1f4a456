#include "daemon/training/training_metrics.h"

namespace digit {

void AddTrainingMetrics(MetricRegistry* metrics, const Trainings* trainings) {
  metrics->AddPulled(MetricType::kGauge, "digit_trainings", "Trainings that wait, run or are remembered, by state.",
                     {"state"}, [trainings](Samples* samples) {
                       for (int state = 0; state <= static_cast<int>(TrainingJobState::kCancelled); ++state) {
                         samples->Set({NameOf(static_cast<TrainingJobState>(state))}, 0);
                       }
                       for (const TrainingJob& job : trainings->List("")) samples->Add({NameOf(job.state)}, 1);
                     });
  metrics->AddPulled(MetricType::kGauge, "digit_training_epoch_accuracy",
                     "On validation pictures after the last epoch, of the training that runs.", {"model"},
                     [trainings](Samples* samples) {
                       for (const TrainingJob& job : trainings->List("")) {
                         if (job.state != TrainingJobState::kRunning || job.epochs.empty()) continue;
                         samples->Set({job.request.model}, job.epochs.back().accuracy);
                       }
                     });
}

TrainingMetrics::TrainingMetrics(MetricRegistry* metrics)
    : ended_(metrics->AddCounters("digit_trainings_total", "Trainings that have ended, by outcome.", {"outcome"})) {
  for (const auto state : {TrainingJobState::kDone, TrainingJobState::kFailed, TrainingJobState::kCancelled}) {
    ended_.With({NameOf(state)});  // from 0
  }
}

}  // namespace digit
