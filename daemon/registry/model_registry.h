// The models this server holds, by name.
//
// A load reads the file, checks it, places it on the pool and only then makes it live; a failure leaves nothing behind
// but the reason. Threads: none of its own; Load() blocks its caller, Find() takes one short lock. Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "daemon/pool/pool.h"
#include "model/engine/model.h"

namespace digit {

// One version that answers requests. Immutable.
struct LiveModel {
  std::string name;
  std::string version;                 // number of its folder, or the first 12 hex digits of the file's SHA-256
  std::shared_ptr<const Model> model;  // never null
  std::shared_ptr<PlacedModel> placed;
  absl::Time live_since;  // wall time, for people
};

// The only shared ownership: a request holds its version until it is answered.
using ModelHandle = std::shared_ptr<const LiveModel>;

class ModelRegistry {
 public:
  explicit ModelRegistry(Pool* pool);  // not owned

  // Makes the file live under `name`; `now` is recorded as live_since. ALREADY_EXISTS when the name is taken;
  // INVALID_ARGUMENT for a bad name; else what LoadModel() or Pool::Place() say. The first model is the default.
  absl::Status Load(const std::string& name, const std::string& path, absl::Time now) ABSL_LOCKS_EXCLUDED(mu_);

  // The same with a model that is already read.
  absl::Status Add(const std::string& name, const std::string& version, Model model, absl::Time now)
      ABSL_LOCKS_EXCLUDED(mu_);

  // Empty `name`: the default model; empty `version`: the live one. NOT_FOUND names what is missing.
  absl::StatusOr<ModelHandle> Find(absl::string_view name, absl::string_view version) const ABSL_LOCKS_EXCLUDED(mu_);

  // In order of name.
  std::vector<ModelHandle> List() const ABSL_LOCKS_EXCLUDED(mu_);
  std::string default_name() const ABSL_LOCKS_EXCLUDED(mu_);

  // Lets go of every model; requests in flight keep theirs.
  void Clear() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  Pool* const pool_;
  mutable Mutex mu_;
  std::map<std::string, ModelHandle, std::less<>> models_ ABSL_GUARDED_BY(mu_);
  std::string default_name_ ABSL_GUARDED_BY(mu_);
};

// The folder's number for ".../NAME/3/model.pt", else the first 12 digits of the digest.
std::string ModelVersionOf(absl::string_view path, absl::string_view sha256);

// "mnist" for "models/mnist.pt".
std::string ModelNameOf(absl::string_view path);

// OK when `name` matches [a-z0-9][a-z0-9._-]{0,63}, else INVALID_ARGUMENT saying so.
absl::Status CheckModelName(absl::string_view name);

}  // namespace digit
