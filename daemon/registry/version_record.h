// What is known of one version of a model, from its first reading to long after it is gone.
#pragma once

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "daemon/registry/live_model.h"
#include "daemon/registry/shadow.h"

namespace digit {

enum class ModelState {
  kLoading,    // read, and being looked into
  kChecking,   // running reference inputs, then what the gate asks
  kWarming,    // running every batch size once
  kLive,       // answers requests that name no version
  kCandidate,  // loaded beside the live one, until it is promoted
  kKept,       // loaded for a rollback, or because the version policy says so, and for requests that name it
  kDraining,   // replaced; finishing what it accepted
  kRetired,    // replaced and freed
  kRefused,    // not fit to serve; see reason
};

struct VersionRecord {
  std::string version;
  std::string identity;  // Model::identity; of a file that could not be read, its SHA-256
  std::string sha256;
  std::string path;
  ModelState state = ModelState::kChecking;
  std::string reason;                    // empty: nothing to say
  bool unreadable = false;               // refused without a verdict: it may be read again
  absl::Time since;                      // of the state
  std::weak_ptr<const LiveModel> model;  // what is placed; gone when retired, never there when refused
  std::shared_ptr<const Shadow> shadow;  // in a description, of a candidate that is given copies of requests
};

}  // namespace digit
