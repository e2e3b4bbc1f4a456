// How others see the trainings.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "daemon/training/trainings.h"

namespace digit {

absl::Status NoTraining(const std::string& id) { return absl::NotFoundError(absl::StrCat("no training '", id, "'")); }

TrainingJob Trainings::Show(const TrainingJob& job) const {
  TrainingJob shown = job;
  const auto waits = std::find(waiting_.begin(), waiting_.end(), job.id);
  if (waits != waiting_.end()) shown.position = static_cast<int>(waits - waiting_.begin());
  return shown;
}

void Trainings::Change(const std::string& id, bool keep, const std::function<void(TrainingJob*)>& change) {
  TrainingJob job;
  {
    MutexLock lock(&mu_);
    const auto found = jobs_.find(id);
    if (found == jobs_.end()) return;
    change(&found->second);
    job = Show(found->second);
  }
  if (keep) {
    const absl::Status status = WriteFileAtomically(FolderOf(id) + "/job.json", FormatTrainingJob(job));
    if (!status.ok()) LogWarn("training not recorded", {{"id", id}, {"error", status}});
  }
  MutexLock lock(&watch_mu_);
  for (const auto& [_, watcher] : watchers_) {
    if (watcher.id == id) watcher.on_change(&job);
  }
}

absl::StatusOr<TrainingJob> Trainings::Get(const std::string& id) const {
  MutexLock lock(&mu_);
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) return NoTraining(id);
  return Show(found->second);
}

std::vector<TrainingJob> Trainings::List(const std::string& model) const {
  std::vector<TrainingJob> jobs;
  {
    MutexLock lock(&mu_);
    for (const auto& [id, job] : jobs_) {
      if (model.empty() || job.request.model == model) jobs.push_back(Show(job));
    }
  }
  std::stable_sort(jobs.begin(), jobs.end(),
                   [](const TrainingJob& a, const TrainingJob& b) { return a.created > b.created; });
  return jobs;
}

absl::StatusOr<uint64_t> Trainings::Watch(const std::string& id, OnChange on_change) {
  MutexLock lock(&watch_mu_);
  if (watches_ended_) return absl::UnavailableError("the server is shutting down");
  ASSIGN_OR_RETURN(const TrainingJob job, Get(id));
  on_change(&job);
  watchers_[next_watch_] = {.id = id, .on_change = std::move(on_change)};
  return next_watch_++;
}

void Trainings::Unwatch(uint64_t watch) {
  MutexLock lock(&watch_mu_);
  watchers_.erase(watch);
}

void Trainings::EndWatches() {
  MutexLock lock(&watch_mu_);
  watches_ended_ = true;
  for (const auto& [_, watcher] : watchers_) watcher.on_change(nullptr);
  watchers_.clear();
}

}  // namespace digit
