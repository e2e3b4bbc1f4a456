// The models this server holds, by name, and the versions of each.
//
// A load reads the file, checks it, lets the gate compare it with the live version, places it on the pool and only then
// makes it live; a failure leaves what was live and the reason. Requests are bound to a version on entry and finish on
// it; the version before the live one stays loaded, for a rollback and for requests that name it. Threads: none of its
// own; Load() and Reload() block their caller for as long as that takes, the others take one short lock. Thread-safe.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "daemon/pool/pool.h"
#include "daemon/registry/gate.h"
#include "daemon/registry/live_model.h"
#include "daemon/registry/version_record.h"
#include "model/dataset/idx.h"
#include "model/engine/model.h"

namespace digit {

// A name and what is known under it.
struct ModelDescription {
  std::string name;
  bool is_default = false;
  bool serving = false;                 // the live version has an engine that works
  std::vector<VersionRecord> versions;  // the live one first, then newest first
};

class ModelRegistry {
 public:
  struct Options {
    Pool* pool = nullptr;            // not owned
    bool allow_torchscript = false;  // a reload may replace the digit network by TorchScript, which is a program
    LabeledImages gate_images;       // empty: the gate compares on 1,000 generated digits
  };
  explicit ModelRegistry(Options options);
  explicit ModelRegistry(Pool* pool) : ModelRegistry(Options{.pool = pool}) {}

  // Makes the file live under a new `name`, without the gate; `now` is recorded as live_since. ALREADY_EXISTS when the
  // name is taken; INVALID_ARGUMENT for a bad name; else what LoadModel() or Pool::Place() say. The first model is the
  // default.
  absl::Status Load(const std::string& name, const std::string& path, absl::Time now) ABSL_LOCKS_EXCLUDED(mu_);

  // The same with a model that is already read.
  absl::Status Add(const std::string& name, const std::string& version, Model model, absl::Time now)
      ABSL_LOCKS_EXCLUDED(mu_);

  struct ReloadOptions {
    bool force = false;      // whatever the gate says, and also what was rolled back
    bool automatic = false;  // nobody asked: what was refused or rolled back before is left alone without a word
  };
  struct Reloaded {
    ModelHandle live;
    bool changed = false;  // false: the file is what is live (or, automatic, what was refused)
    std::string gate;      // what the gate compared; empty: it was not asked
  };
  // Reads the file of `name` (empty: the default model) again and, when its digest differs, makes it live. One reload
  // at a time, others wait. NOT_FOUND: no such model, or no file any more. INVALID_ARGUMENT: no sound model.
  // FAILED_PRECONDITION: refused by the gate, rolled back before, other labels, or TorchScript where that may not
  // come by a reload, or the content of a version folder has changed. ABORTED: rolled back meanwhile. The old version
  // goes on in all these cases.
  absl::StatusOr<Reloaded> Reload(const std::string& name, const ReloadOptions& options, absl::Time now)
      ABSL_LOCKS_EXCLUDED(mu_, reload_mu_);

  // Makes the version before the live one live again, at once. What was live is refused from then on, until its file
  // changes or `force`. FAILED_PRECONDITION: there is none.
  absl::StatusOr<ModelHandle> Rollback(const std::string& name, absl::Time now) ABSL_LOCKS_EXCLUDED(mu_);

  // Empty `name`: the default model; empty `version` or "stable": the live one; "previous": the one before. Any other
  // is a version that is loaded. NOT_FOUND names what is missing.
  absl::StatusOr<ModelHandle> Find(absl::string_view name, absl::string_view version) const ABSL_LOCKS_EXCLUDED(mu_);

  absl::StatusOr<ModelDescription> Describe(absl::string_view name) const ABSL_LOCKS_EXCLUDED(mu_);

  // Names, sorted.
  std::vector<std::string> Names() const ABSL_LOCKS_EXCLUDED(mu_);
  std::string default_name() const ABSL_LOCKS_EXCLUDED(mu_);
  // The path that was given for each name.
  std::map<std::string, std::string> Paths() const ABSL_LOCKS_EXCLUDED(mu_);

  // Lets go of every model; requests in flight keep theirs.
  void Clear() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Entry {
    std::string path;
    ModelHandle live, previous;
    std::set<std::string> rejected;      // digests of what was rolled back or refused since something went live
    std::deque<VersionRecord> versions;  // newest first
  };

  absl::StatusOr<ModelHandle> MakeVersion(const std::string& name, const std::string& version, Model model,
                                          const Pool::PlaceOptions& place, absl::Time now) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status CheckReplaces(const Model& candidate, absl::string_view version, const LiveModel& live) const;
  absl::Status AskGate(InferenceEngine& candidate, const LiveModel& live, GateReport* report);
  absl::StatusOr<const Entry*> FindEntry(absl::string_view name) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // ABORTED when what is live is not what the new version was judged against.
  absl::Status MakeLive(const ModelHandle& model, const LiveModel& judged_against, absl::Time now)
      ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status Refuse(const std::string& name, VersionRecord record, const absl::Status& why) ABSL_LOCKS_EXCLUDED(mu_);
  static void SetRecord(Entry* entry, VersionRecord record);
  void Record(const std::string& name, VersionRecord record) ABSL_LOCKS_EXCLUDED(mu_);

  const Options options_;
  Pool* const pool_;
  Mutex reload_mu_;  // one reload at a time; before mu_
  mutable Mutex mu_;
  std::map<std::string, Entry, std::less<>> models_ ABSL_GUARDED_BY(mu_);
  std::string default_name_ ABSL_GUARDED_BY(mu_);
};

// The folder's number for ".../NAME/3/model.pt", else the first 12 digits of the digest.
std::string ModelVersionOf(absl::string_view path, absl::string_view sha256);

// "mnist" for "models/mnist.pt".
std::string ModelNameOf(absl::string_view path);

// OK when `name` matches [a-z0-9][a-z0-9._-]{0,63}, else INVALID_ARGUMENT saying so.
absl::Status CheckModelName(absl::string_view name);

}  // namespace digit
