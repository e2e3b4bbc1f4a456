// What lies in the folder of a training beside job.json: what it is trained from, the trainer's words, what comes out.
//   live.pt, live.json   the live version as it was when the training was asked for
//   corrections/         accepted corrections, as MNIST's files
//   log                  what the trainer says
//   trained.pt           what comes out, and trained.pt.checkpoint, from which it goes on
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "daemon/training/training_job.h"
#include "model/dataset/idx.h"
#include "model/engine/model.h"

namespace digit {

// INVALID_ARGUMENT names the field; NOT_FOUND: no such data set in `data_dir`; FAILED_PRECONDITION: `data_dir` is
// empty.
absl::Status CheckTrainingRequest(const TrainingRequest& request, const std::string& data_dir);

// Everything that it is trained from; no corrections: none are written.
absl::Status FillTrainingFolder(const std::string& folder, const ModelFiles& live, const LabeledImages& corrections);

// The trainer's command line; it goes on from a checkpoint if there is one.
std::vector<std::string> TrainerCommand(const std::string& trainer, const std::string& folder,
                                        const std::string& data_dir, int threads, const TrainingRequest& request);

// The last line of the log that is not empty, without the trainer's own name before it; empty: there is none.
std::string LastWords(const std::string& folder);

// Removes all but job.json and the log.
void TidyTrainingFolder(const std::string& folder);

}  // namespace digit
