// A version of a model that requests run on.
#pragma once

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "daemon/pool/placed_model.h"
#include "daemon/registry/answer_counters.h"
#include "model/engine/model.h"

namespace digit {

// Immutable.
struct LiveModel {
  std::string name;
  std::string version;                 // number of its folder, or the first 12 hex digits of the file's SHA-256
  std::shared_ptr<const Model> model;  // never null
  std::shared_ptr<PlacedModel> placed;
  absl::Time live_since;  // wall time, for people
  // Counts while it answers; never null.
  std::shared_ptr<AnswerCounters> answers;
};

// The only shared ownership: a request holds its version until it is answered.
using ModelHandle = std::shared_ptr<const LiveModel>;

}  // namespace digit
