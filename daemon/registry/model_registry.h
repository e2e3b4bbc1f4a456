// The models this server holds, by name, and the versions of each.
//
// A load reads the file, checks it, lets the gate compare it with the live version, places it on the pool and only then
// makes it live; a failure leaves what was live and the reason. Requests are bound to a version on entry and finish on
// it; the version before the live one stays loaded, for a rollback and for requests that name it. Threads: none of its
// own; what loads blocks its caller for as long as that takes, the others take one short lock. Thread-safe.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/state_folder.h"
#include "daemon/pool/pool.h"
#include "daemon/registry/digest_list.h"
#include "daemon/registry/gate.h"
#include "daemon/registry/live_model.h"
#include "daemon/registry/model_store.h"
#include "daemon/registry/shadow.h"
#include "daemon/registry/version_folders.h"
#include "daemon/registry/version_policy.h"
#include "daemon/registry/version_record.h"
#include "model/dataset/idx.h"
#include "model/engine/model.h"

namespace digit {

// A name and what is known under it.
struct ModelDescription {
  std::string name;
  bool is_default = false;
  bool serving = false;                 // the live version has an engine that works
  int64_t rollbacks = 0;                // by somebody or automatically, since the start
  std::vector<VersionRecord> versions;  // the live one first, then newest first
};

// What a new version becomes when it has passed its checks.
enum class Promote {
  kNever,     // the candidate
  kIfBetter,  // live when the gate lets it pass, else the candidate
  kAlways,    // live
};

class ModelRegistry {
 public:
  struct Options {
    Pool* pool = nullptr;            // not owned
    bool allow_torchscript = false;  // a reload may replace the digit network by TorchScript, which is a program
    std::string model_dir;           // version folders (VersionFolders); empty: none
    std::map<std::string, VersionPolicy> policies;  // by name; "": of every other name
    std::string digests;                            // DigestList; empty: any
    // What the gate compares a model's versions on, asked each time (GateImages); null: 1,000 generated digits.
    std::function<absl::StatusOr<std::shared_ptr<const LabeledImages>>(const std::string& name)> gate_images =
        [](const std::string&) { return nullptr; };
    // Called after every eighth picture that the gate asks. What is served finds a core free sooner when the loader
    // sleeps here for a moment, which no priority brings about.
    std::function<void()> rest = [] {};
    StateFolder* state = nullptr;  // not owned; null: what is live does not survive a restart
    // A version whose engines fail within this time after it went live is rolled back.
    absl::Duration probation = absl::Minutes(1);
    const Clock* clock = SteadyClock();  // not owned
  };
  explicit ModelRegistry(Options options);
  explicit ModelRegistry(Pool* pool) : ModelRegistry(Options{.pool = pool}) {}

  // Reads what was live before a restart; before the first Load(). Not OK: it is damaged, and the models start anew.
  absl::Status Restore() ABSL_LOCKS_EXCLUDED(mu_);

  // Makes a new `name` live, without the gate: what its file holds, or with an empty `path` its highest version folder
  // that is sound. What was live before a restart wins, unless the file has changed since, and also when the file is
  // broken. `now` is recorded as live_since. ALREADY_EXISTS when the name is taken; INVALID_ARGUMENT for a bad name;
  // NOT_FOUND: no file or version; else what LoadModel() or Pool::Place() say. The first model is the default.
  absl::Status Load(const std::string& name, const std::string& path, absl::Time now)
      ABSL_LOCKS_EXCLUDED(mu_, reload_mu_);

  // The same with a model that is already read.
  absl::Status Add(const std::string& name, const std::string& version, Model model, absl::Time now)
      ABSL_LOCKS_EXCLUDED(mu_);

  struct ReloadOptions {
    bool force = false;      // whatever the gate says, and also what was rolled back
    bool automatic = false;  // nobody asked: what was refused or rolled back before is left alone without a word
    bool candidate = false;  // load it as the candidate; the gate is asked, but does not decide
  };
  struct Reloaded {
    ModelHandle live;       // what is live now
    ModelHandle candidate;  // what has become the candidate; null: nothing
    bool changed = false;   // false: the file is what is live (or, automatic, what was refused)
    std::string gate;       // what the gate compared; empty: it was not asked
    std::string refused;    // why the gate kept it from going live; empty: it did not
  };
  // Reads the file or the highest version folder of `name` (empty: the default model) again and, when it is another
  // version, makes it live; a name that is new under model_dir is loaded. One load at a time, others wait. NOT_FOUND:
  // no such model, or no file any more. INVALID_ARGUMENT: no sound model. FAILED_PRECONDITION: refused by the gate,
  // rolled back before, not in the list of digests, other labels, or TorchScript where that may not come by a reload,
  // or the content of a version folder has changed. ABORTED: rolled back meanwhile. The old version goes on in all
  // these cases.
  absl::StatusOr<Reloaded> Reload(const std::string& name, const ReloadOptions& options, absl::Time now)
      ABSL_LOCKS_EXCLUDED(mu_, reload_mu_);

  // Makes a version that is loaded, or that has a folder, live when it passes the gate or `force`. `version`: a number,
  // a digest or a label; empty: the candidate. NOT_FOUND: there is none. FAILED_PRECONDITION as for Reload().
  absl::StatusOr<Reloaded> PromoteVersion(const std::string& name, const std::string& version, bool force,
                                          absl::Time now) ABSL_LOCKS_EXCLUDED(mu_, reload_mu_);

  // Stores what was trained as the next version of `name` and makes of it what `promote` says. Errors as for Reload(),
  // or FAILED_PRECONDITION when it cannot be stored.
  absl::StatusOr<Reloaded> Publish(const std::string& name, const std::string& path, Promote promote, absl::Time now)
      ABSL_LOCKS_EXCLUDED(mu_, reload_mu_);

  // What the live version was read from, wherever that is now. FAILED_PRECONDITION: nowhere any more.
  absl::StatusOr<ModelFiles> ReadLive(const std::string& name) const ABSL_LOCKS_EXCLUDED(mu_);

  // Makes the version before the live one live again, at once. What was live is refused from then on, until its file
  // changes or `force`. FAILED_PRECONDITION: there is none.
  absl::StatusOr<ModelHandle> Rollback(const std::string& name, absl::Time now) ABSL_LOCKS_EXCLUDED(mu_);

  // An engine of `placed` has failed: rolls back when that is a live version on probation. Whether it did; then Save().
  bool RollbackFailing(const PlacedModel& placed, const absl::Status& why, absl::Time now) ABSL_LOCKS_EXCLUDED(mu_);

  // Copies of `share` (0..1) of the requests that name no version go to the candidate from now on; 0: none.
  absl::Status SetShadow(const std::string& name, double share) ABSL_LOCKS_EXCLUDED(mu_);

  // Writes what must survive a restart to the state folder. A failure goes to the log, and is said by Describe() of
  // the live versions until a later Save() is OK.
  absl::Status Save() ABSL_LOCKS_EXCLUDED(mu_, save_mu_);
  // Whether the last Save() was OK.
  bool is_saved() const ABSL_LOCKS_EXCLUDED(mu_);

  // Empty `name`: the default model; empty `version` or "stable": the live one; "previous": the one before;
  // "candidate". Any other is a version that is loaded. NOT_FOUND names what is missing.
  absl::StatusOr<ModelHandle> Find(absl::string_view name, absl::string_view version) const ABSL_LOCKS_EXCLUDED(mu_);

  // What a request runs on, and who gets a copy of it: null for nobody, as for a request that names a version.
  struct Binding {
    ModelHandle model;
    std::shared_ptr<Shadow> shadow;
  };
  absl::StatusOr<Binding> Bind(absl::string_view name, absl::string_view version) const ABSL_LOCKS_EXCLUDED(mu_);

  absl::StatusOr<ModelDescription> Describe(absl::string_view name) const ABSL_LOCKS_EXCLUDED(mu_);

  // Names, sorted.
  std::vector<std::string> Names() const ABSL_LOCKS_EXCLUDED(mu_);
  std::string default_name() const ABSL_LOCKS_EXCLUDED(mu_);
  // The file that was given for each name; none for those of version folders.
  std::map<std::string, std::string> Paths() const ABSL_LOCKS_EXCLUDED(mu_);
  const VersionFolders& folders() const { return folders_; }

  // Lets go of every model; requests in flight keep theirs.
  void Clear() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Entry {
    std::string path;  // of --model FILE; empty: version folders
    ModelHandle live, previous, candidate;
    std::vector<ModelHandle> others;  // loaded because the version policy says so
    SteadyTime live_at;               // when `live` went live, for the probation
    int64_t rollbacks = 0;
    std::string seen;                          // SavedModel says what it is
    std::set<std::string> rejected;            // the same
    std::map<std::string, std::string> known;  // the same
    std::shared_ptr<Shadow> shadow;
    // By identity: what versions that are needed after a restart were read from, until it is in the store.
    std::map<std::string, std::shared_ptr<const ModelFiles>> unsaved;
    std::deque<VersionRecord> versions;  // newest first
  };
  // A version that has been read, and parsed once.
  struct Read {
    std::shared_ptr<const ModelFiles> files;
    Origin origin;
    absl::StatusOr<Model> model;  // of `files`
  };
  // What is known of a name when a load of it begins.
  struct Before {
    std::string path;
    ModelHandle live;       // null: the name is new
    std::string candidate;  // its identity; empty: there is none
    std::string seen;
    std::set<std::string> rejected;
    std::map<std::string, std::string> known;
  };
  // How a version that has been read comes in.
  struct Entrance {
    bool force = false;      // past the gate
    bool candidate = false;  // becomes the candidate
    bool candidate_if_refused = false;
  };

  // model_registry_files.cc
  static absl::StatusOr<Read> Parse(absl::StatusOr<ModelFiles> files, Origin origin);
  absl::StatusOr<Read> ReadFolder(const std::string& name, int64_t version) const;
  absl::StatusOr<Read> ReadTrained(const std::string& name, int64_t version) const;
  absl::StatusOr<Read> ReadNewest(const std::string& name, const std::string& path) const;
  absl::StatusOr<Read> ReadSaved(const std::string& name, const SavedVersion& version) const;
  void Keep(const std::string& name, const ModelHandle& model, std::shared_ptr<const ModelFiles> files)
      ABSL_LOCKS_EXCLUDED(mu_);
  ModelHandle ShareTrained(const ModelHandle& model, absl::Time now) ABSL_LOCKS_EXCLUDED(mu_);

  // model_registry_checks.cc
  absl::Status CheckKnown(const Model& model, const std::string& version, Origin origin,
                          const std::map<std::string, std::string>& known) const;
  absl::Status CheckReplaces(const Model& candidate, const LiveModel& live) const;
  // OK also when `force` overrules it. `gate`: what it compared; stays empty when it could not be asked.
  struct Candidate {
    std::string version, identity;
    InferenceEngine& engine;
  };
  // Whether half precision gives the classes that single precision gives to the validation images, if there are any.
  absl::Status CheckHalf(const std::string& name, InferenceEngine& half, InferenceEngine& single) const;
  // `was_asked`: false when it could not be, which says nothing of the candidate.
  absl::Status PassGate(const Candidate& candidate, const LiveModel& live, bool force, std::string* gate,
                        bool* was_asked) ABSL_EXCLUSIVE_LOCKS_REQUIRED(reload_mu_);
  absl::Status AskGate(const Candidate& candidate, const LiveModel& live, std::shared_ptr<const LabeledImages> images,
                       GateReport* report) ABSL_EXCLUSIVE_LOCKS_REQUIRED(reload_mu_);
  absl::StatusOr<std::vector<int>> LiveAnswers(const LiveModel& live,
                                               const std::shared_ptr<const LabeledImages>& images)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(reload_mu_);
  void Remember(GateAnswers answers) ABSL_EXCLUSIVE_LOCKS_REQUIRED(reload_mu_);

  // model_registry_loading.cc
  static void LogLoaded(absl::string_view event, const LiveModel& model);
  absl::StatusOr<Before> Look(const std::string& name) const ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status LoadFirst(const std::string& name, const std::string& path, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(reload_mu_);
  absl::Status LoadNewest(const std::string& name, const std::string& path, absl::StatusOr<Read> newest, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(reload_mu_);
  absl::Status LoadAsSaved(const std::string& name, const std::string& path, const SavedModel& saved,
                           absl::StatusOr<Read> newest, absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(reload_mu_);
  absl::Status LoadOne(const std::string& name, const std::string& path, Read read, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(reload_mu_);
  void LoadPrevious(const std::string& name, const SavedVersion& version, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(reload_mu_);
  absl::StatusOr<Reloaded> ReloadFrom(const std::string& name, const Before& before, absl::StatusOr<Read> read,
                                      const std::string& path, const ReloadOptions& options, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(reload_mu_);
  std::vector<int64_t> WorthATry(const std::string& name, const Before& before) const;
  std::string VersionOf(const std::string& path, const Model& model, Origin origin) const;
  VersionRecord RecordOf(const Read& read, const std::string& path, absl::Time now) const;  // kLoading
  static absl::Status RefusedBefore(const std::string& path);
  void LoadOthers(const std::string& name, absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(reload_mu_);
  absl::StatusOr<Reloaded> BringIn(const std::string& name, const Before& before, Read read, const Entrance& entrance,
                                   absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(reload_mu_);
  absl::StatusOr<ModelHandle> MakeVersion(const std::string& name, const std::string& version, Model model,
                                          Origin origin, const Pool::PlaceOptions& place, absl::Time now)
      ABSL_LOCKS_EXCLUDED(mu_);

  // model_registry.cc
  absl::StatusOr<const Entry*> FindEntry(absl::string_view name) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<ModelHandle> FindVersion(const Entry& entry, absl::string_view version) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // ABORTED when what is live is not what the new version was judged against.
  static SavedVersion SavedOf(const LiveModel& model);
  static bool IsNumbered(const LiveModel& model);
  absl::Status MakeLive(const ModelHandle& model, const LiveModel& judged_against, absl::Time now)
      ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status MakeCandidate(const ModelHandle& model, const std::string& reason, absl::Time now)
      ABSL_LOCKS_EXCLUDED(mu_);
  ModelHandle RollbackLocked(Entry* entry, const std::string& reason, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool IsSelected(const LiveModel& model) const;
  absl::Status Refuse(const std::string& name, VersionRecord record, const absl::Status& why) ABSL_LOCKS_EXCLUDED(mu_);
  static VersionRecord RecordOf(const ModelHandle& model, const std::string& reason, absl::Time now);
  static void SetRecord(Entry* entry, VersionRecord record);
  void Record(const std::string& name, VersionRecord record) ABSL_LOCKS_EXCLUDED(mu_);
  const VersionPolicy& PolicyOf(const std::string& name) const;

  const Options options_;
  Pool* const pool_;
  const VersionFolders folders_;
  const DigestList digests_;
  Mutex reload_mu_;                                              // one load at a time; before save_mu_ and mu_
  std::deque<GateAnswers> answers_ ABSL_GUARDED_BY(reload_mu_);  // of the versions that the gate saw last
  Mutex save_mu_;                                                // one writer; before mu_
  std::unique_ptr<ModelStore> store_;                            // null: there is none; its folders never change
  mutable Mutex mu_;
  std::map<std::string, Entry, std::less<>> models_ ABSL_GUARDED_BY(mu_);
  SavedModels saved_ ABSL_GUARDED_BY(mu_);  // as read by Restore(), also of names that are not loaded
  std::string default_name_ ABSL_GUARDED_BY(mu_);
  std::string not_saved_ ABSL_GUARDED_BY(mu_);  // why the last Save() failed; empty: it did not
};

// The folder's number for ".../NAME/3/model.pt", else the first 12 digits of the identity.
std::string ModelVersionOf(absl::string_view path, absl::string_view identity);

// "mnist" for "models/mnist.pt".
std::string ModelNameOf(absl::string_view path);

}  // namespace digit
