// A training run on disk: enough to go on with it and end with the same tensors.
//
// One file: a line of JSON (what the run is, how far it got, its history, the SHA-256 of the rest), then the four
// arrays of TrainingState as little-endian floats. Written whole or not at all (base/file.h).
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/training/trainer.h"

namespace digit {

// What must agree between the run that wrote a checkpoint and the one that goes on with it.
struct RunIdentity {
  std::string recipe;  // Describe(recipe)
  int64_t seed = 0;
  std::string data_digest;  // of the training pictures

  friend bool operator==(const RunIdentity&, const RunIdentity&) = default;
};

// Blocks on the disk; about 3.6 MB. Errors as WriteFileAtomically().
absl::Status SaveCheckpoint(const std::string& path, const RunIdentity& identity, const TrainingState& state);

// NOT_FOUND: no such file. FAILED_PRECONDITION: it belongs to another run; says in what they differ.
// INVALID_ARGUMENT: not a checkpoint, or a damaged one.
absl::StatusOr<TrainingState> LoadCheckpoint(const std::string& path, const RunIdentity& identity);

}  // namespace digit
