// One training as it is known: what was asked for, how far it is, what came of it.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "daemon/registry/model_registry.h"
#include "model/spec/training_events.h"

namespace digit {

struct TrainingRequest {
  std::string model;
  bool fine_tune = false;
  std::string data_set;  // empty: none
  bool corrections = false;
  int epochs = 0;  // 0: the trainer's default
  uint64_t seed = 1;
  Promote promote = Promote::kIfBetter;
  bool detached = false;
};

enum class TrainingJobState { kQueued, kRunning, kPublishing, kDone, kFailed, kCancelled };

struct TrainingJob {
  std::string id;
  TrainingJobState state = TrainingJobState::kQueued;
  TrainingRequest request;
  int position = 0;        // how many wait before it; of a job that is shown
  TrainingEvent started;   // kStarted, once it has
  TrainingEvent progress;  // the last kProgress of this run; not kept
  std::vector<TrainingEvent> epochs;
  std::string version;
  bool promoted = false;
  bool cancelled = false;  // somebody has asked for that; not kept
  std::string gate, error;
  absl::Time created = absl::InfinitePast(), began = absl::InfinitePast(), ended = absl::InfinitePast();

  bool has_ended() const {
    return state == TrainingJobState::kDone || state == TrainingJobState::kFailed ||
           state == TrainingJobState::kCancelled;
  }
};

// "queued", ...
absl::string_view NameOf(TrainingJobState state);

// job.json and back. INVALID_ARGUMENT says what is wrong; `what` starts the message.
std::string FormatTrainingJob(const TrainingJob& job);
absl::StatusOr<TrainingJob> ParseTrainingJob(absl::string_view text, absl::string_view what);

}  // namespace digit
