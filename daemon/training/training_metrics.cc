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
}

}  // namespace digit
