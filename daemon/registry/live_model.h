// A version of a model that requests run on.
#pragma once

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "daemon/pool/placed_model.h"
#include "daemon/registry/answer_counters.h"
#include "daemon/registry/request_counters.h"
#include "model/engine/model.h"

namespace digit {

// Where a version comes from.
enum class Origin {
  kFile,     // of --model FILE
  kFolder,   // a version folder under --model-dir
  kTrained,  // made here, in the state folder
};

// Immutable.
struct LiveModel {
  std::string name;
  std::string version;                 // number of its folder, or the first 12 hex digits of Model::identity
  std::shared_ptr<const Model> model;  // never null
  std::shared_ptr<PlacedModel> placed;
  Origin origin = Origin::kFile;
  absl::Time live_since;  // wall time, for people
  // Count while it answers; never null.
  std::shared_ptr<AnswerCounters> answers;
  std::shared_ptr<RequestCounters> requests = std::make_shared<RequestCounters>();
};

// The only shared ownership: a request holds its version until it is answered.
using ModelHandle = std::shared_ptr<const LiveModel>;

}  // namespace digit
