// How a version comes into the registry: read, checked, judged by the gate, placed.
#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/status.h"
#include "daemon/registry/model_registry.h"

namespace digit {
namespace {

// What is larger is not kept in memory until it is in the store, and so does not survive a restart once its file has
// been replaced.
constexpr size_t kMaxUnsavedBytes = size_t{64} << 20;

void LogLoaded(absl::string_view event, const LiveModel& model) {
  LogInfo(event, {{"model", model.name},
                  {"version", model.version},
                  {"file", model.model->path},
                  {"engine", model.placed->engine_name()},
                  {"executors", absl::StrJoin(model.placed->executor_names(), ",")}});
}

absl::Status RefusedBefore(const std::string& path) {
  return absl::FailedPreconditionError(absl::StrCat("model '", path, "' was refused or rolled back before and has not ",
                                                    "changed since; force it to load it all the same"));
}

}  // namespace

absl::StatusOr<ModelRegistry::Before> ModelRegistry::Look(const std::string& name) const {
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const Entry* entry, FindEntry(name));
  return Before{.path = entry->path,
                .live = entry->live,
                .seen = entry->seen,
                .rejected = entry->rejected,
                .known = entry->known};
}

absl::Status ModelRegistry::Load(const std::string& name, const std::string& path, absl::Time now) {
  MutexLock one_at_a_time(&reload_mu_);
  return LoadFirst(name, path, now);
}

absl::Status ModelRegistry::LoadFirst(const std::string& name, const std::string& path, absl::Time now) {
  RETURN_IF_ERROR(CheckModelName(name));
  std::optional<SavedModel> saved;
  {
    MutexLock lock(&mu_);
    if (models_.contains(name)) return absl::AlreadyExistsError(absl::StrCat("model '", name, "' is given twice"));
    const auto found = saved_.find(name);
    if (found != saved_.end()) saved = found->second;
  }
  absl::StatusOr<Read> newest = ReadNewest(name, path);
  RETURN_IF_ERROR(saved.has_value() ? LoadAsSaved(name, path, *saved, std::move(newest), now)
                                    : LoadNewest(name, path, std::move(newest), now));
  LoadOthers(name, now);
  return absl::OkStatus();
}

// What the file holds, or the highest version folder that is sound.
absl::Status ModelRegistry::LoadNewest(const std::string& name, const std::string& path, absl::StatusOr<Read> newest,
                                       absl::Time now) {
  absl::Status status = newest.ok() ? LoadOne(name, path, *std::move(newest), now) : newest.status();
  if (!path.empty()) return status;
  const VersionPolicy& policy = PolicyOf(name);
  std::vector<int64_t> versions = folders_.Versions(name);
  if (policy.kind != VersionPolicy::Kind::kLatest) versions = policy.Select(versions);
  while (!status.ok() && !versions.empty()) {
    LogError("model refused", {{"model", name}, {"version", absl::StrCat(versions.back())}, {"error", status}});
    versions.pop_back();
    if (versions.empty()) break;
    absl::StatusOr<Read> read = ReadFolder(name, versions.back());
    status = read.ok() ? LoadOne(name, path, *std::move(read), now) : read.status();
  }
  return status;
}

// What was live before the restart, unless the file has changed since or is gone.
absl::Status ModelRegistry::LoadAsSaved(const std::string& name, const std::string& path, const SavedModel& saved,
                                        absl::StatusOr<Read> newest, absl::Time now) {
  const absl::Status sound = newest.ok() ? newest->model.status() : newest.status();
  const std::string identity = sound.ok() ? newest->model->identity : "";
  const bool is_live = identity == saved.live.identity;
  const bool gone = absl::IsNotFound(newest.status()) && !path.empty();  // somebody wants it gone
  const bool changed = sound.ok() && !is_live && identity != saved.seen && !saved.rejected.contains(identity);
  if (gone || changed) return LoadNewest(name, path, std::move(newest), now);
  if (is_live) {
    RETURN_IF_ERROR(LoadNewest(name, path, std::move(newest), now));
  } else {
    if (!sound.ok()) LogError("model refused", {{"model", name}, {"error", sound}});
    absl::StatusOr<Read> read = ReadSaved(name, saved.live);
    const absl::Status status = read.ok() ? LoadOne(name, path, *std::move(read), now) : read.status();
    if (!status.ok()) {
      LogError("what was live before the restart cannot be loaded",
               {{"model", name}, {"version", saved.live.version}, {"error", status}});
      return LoadNewest(name, path, std::move(newest), now);
    }
  }
  {
    MutexLock lock(&mu_);
    Entry& entry = models_.find(name)->second;
    if (entry.live->model->identity != saved.live.identity) return absl::OkStatus();  // a lower version folder
    entry.seen = saved.seen;
    entry.rejected = saved.rejected;
  }
  if (!saved.candidate.has_value()) return absl::OkStatus();
  absl::StatusOr<Read> read = ReadSaved(name, *saved.candidate);
  absl::Status status = read.status();
  if (status.ok()) {
    ASSIGN_OR_RETURN(const Before before, Look(name));
    status = BringIn(name, before, *std::move(read), {.candidate = true}, now).status();
  }
  if (!status.ok()) {
    LogError("the candidate of before the restart cannot be loaded", {{"model", name}, {"error", status}});
  }
  return absl::OkStatus();
}

absl::Status ModelRegistry::LoadOne(const std::string& name, const std::string& path, Read read, absl::Time now) {
  std::map<std::string, std::string> known;
  {
    MutexLock lock(&mu_);
    const auto saved = saved_.find(name);
    if (saved != saved_.end()) known = saved->second.known;
  }
  RETURN_IF_ERROR(read.model.status());
  Model& model = *read.model;
  const std::string version = ModelVersionOf(model.path, model.identity);
  RETURN_IF_ERROR(CheckKnown(model, version, read.origin, known));
  const std::string identity = model.identity;
  ASSIGN_OR_RETURN(ModelHandle live, MakeVersion(name, version, std::move(model), read.origin, {}, now));
  LogLoaded("model live", *live);
  MutexLock lock(&mu_);
  Entry& entry = models_[name];
  entry.path = path;
  entry.seen = identity;
  entry.known = std::move(known);
  if (VersionNumber(version) > 0) entry.known[version] = identity;
  const bool is_given = read.files->path == path;  // else it is in the store, or in a folder that is not replaced
  if (store_ != nullptr && is_given && read.files->bytes.size() <= kMaxUnsavedBytes) entry.unsaved = read.files;
  entry.live = std::move(live);
  entry.live_at = options_.clock->Now();
  SetRecord(&entry, RecordOf(entry.live, "", now));
  if (default_name_.empty()) default_name_ = name;
  return absl::OkStatus();
}

absl::Status ModelRegistry::Add(const std::string& name, const std::string& version, Model model, absl::Time now) {
  RETURN_IF_ERROR(CheckModelName(name));
  ASSIGN_OR_RETURN(ModelHandle live, MakeVersion(name, version, std::move(model), Origin::kFile, {}, now));
  MutexLock lock(&mu_);
  if (models_.contains(name)) return absl::AlreadyExistsError(absl::StrCat("model '", name, "' is given twice"));
  Entry& entry = models_[name];
  entry.path = live->model->path;
  entry.live = std::move(live);
  SetRecord(&entry, RecordOf(entry.live, "", now));
  if (default_name_.empty()) default_name_ = name;
  return absl::OkStatus();
}

void ModelRegistry::LoadOthers(const std::string& name, absl::Time now) {
  if (PolicyOf(name).kind == VersionPolicy::Kind::kLatest) return;
  const absl::StatusOr<Before> before = Look(name);
  if (!before.ok() || !before->path.empty()) return;
  const std::vector<int64_t> selected = PolicyOf(name).Select(folders_.Versions(name));
  std::vector<ModelHandle> dropped;  // freed outside the lock
  {
    MutexLock lock(&mu_);
    Entry& entry = models_.find(name)->second;
    const auto gone = std::stable_partition(entry.others.begin(), entry.others.end(), [&](const ModelHandle& model) {
      return std::find(selected.begin(), selected.end(), VersionNumber(model->version)) != selected.end();
    });
    dropped.assign(gone, entry.others.end());
    entry.others.erase(gone, entry.others.end());
  }
  for (int64_t number : selected) {
    const std::string version = absl::StrCat(number);
    if (Find(name, version).ok()) continue;
    absl::StatusOr<Read> read = ReadFolder(name, number);
    absl::StatusOr<Model> model = read.ok() ? std::move(read->model) : read.status();
    absl::Status status = model.status();
    VersionRecord record{.version = version, .path = folders_.PathOf(name, number), .since = now};
    if (status.ok()) {
      record.identity = model->identity;
      record.sha256 = model->sha256;
      status = CheckKnown(*model, version, Origin::kFolder, before->known);
    }
    if (status.ok()) status = CheckReplaces(*model, *before->live);
    absl::StatusOr<ModelHandle> made =
        status.ok() ? MakeVersion(name, version, *std::move(model), Origin::kFolder, {}, now) : status;
    if (!made.ok()) {
      Refuse(name, std::move(record), made.status()).IgnoreError();
      continue;
    }
    LogLoaded("model loaded", **made);
    MutexLock lock(&mu_);
    Entry& entry = models_.find(name)->second;
    entry.others.push_back(*made);
    entry.known[version] = record.identity;
    SetRecord(&entry, RecordOf(*made, "", now));
  }
}

absl::StatusOr<ModelHandle> ModelRegistry::MakeVersion(const std::string& name, const std::string& version, Model model,
                                                       Origin origin, const Pool::PlaceOptions& place, absl::Time now) {
  RETURN_IF_ERROR(digests_.Check(model.sha256, model.path));
  auto made = std::make_shared<LiveModel>();
  made->name = name;
  made->version = version;
  made->origin = origin;
  auto placing = std::make_shared<Model>(std::move(model));
  made->model = placing;
  made->live_since = now;
  absl::StatusOr<std::shared_ptr<PlacedModel>> placed =
      pool_->Place(absl::StrCat(name, "/", version), std::move(placing), place);
  if (!placed.ok()) {
    const std::string prefix = absl::StrCat("model '", made->model->path, "': ");
    absl::string_view reason = placed.status().message();
    while (absl::ConsumePrefix(&reason, prefix)) {  // an engine that is made from the file names it already
    }
    return absl::Status(placed.status().code(), absl::StrCat(prefix, reason));
  }
  made->placed = *std::move(placed);
  made->answers = std::make_shared<AnswerCounters>(made->placed->num_classes());
  return made;
}

absl::StatusOr<ModelRegistry::Reloaded> ModelRegistry::Reload(const std::string& name, const ReloadOptions& options,
                                                              absl::Time now) {
  MutexLock one_at_a_time(&reload_mu_);
  absl::StatusOr<Before> before = Look(name);
  if (!before.ok()) {
    if (!CheckModelName(name).ok() || folders_.Versions(name).empty()) return before.status();
    RETURN_IF_ERROR(LoadFirst(name, "", now));
    ASSIGN_OR_RETURN(ModelHandle live, Find(name, ""));
    Save();
    return Reloaded{.live = std::move(live), .changed = true};
  }
  const std::string& model_name = before->live->name;
  absl::StatusOr<Read> read = ReadNewest(model_name, before->path);
  RETURN_IF_ERROR(read.status());
  const std::string identity = read->model.ok() ? read->model->identity : "";  // else BringIn() says why
  const Reloaded unchanged{.live = before->live};
  if (identity == before->live->model->identity) {
    LoadOthers(model_name, now);
    return unchanged;
  }
  if (!options.force && !options.candidate) {
    if (before->rejected.contains(identity)) {
      if (options.automatic) return unchanged;
      return RefusedBefore(read->files->path);
    }
    if (identity == before->seen) return unchanged;
  }
  ASSIGN_OR_RETURN(Reloaded reloaded,
                   BringIn(model_name, *before, *std::move(read),
                           {.force = options.force && !options.candidate, .candidate = options.candidate}, now));
  LoadOthers(model_name, now);
  return reloaded;
}

absl::StatusOr<ModelRegistry::Reloaded> ModelRegistry::BringIn(const std::string& name, const Before& before, Read read,
                                                               const Entrance& entrance, absl::Time now) {
  absl::StatusOr<Model>& model = read.model;
  VersionRecord record{.path = read.files->path, .state = ModelState::kLoading, .since = now};
  record.sha256 = model.ok() ? model->sha256 : Sha256Hex(read.files->bytes);
  record.identity = model.ok() ? model->identity : record.sha256;
  record.version = ModelVersionOf(record.path, record.identity);
  if (!model.ok()) {
    record.unreadable = true;
    return Refuse(name, std::move(record), model.status());
  }
  Record(name, record);
  absl::Status status = CheckKnown(*model, record.version, read.origin, before.known);
  if (status.ok()) status = CheckReplaces(*model, *before.live);
  if (!status.ok()) return Refuse(name, std::move(record), status);

  Reloaded reloaded{.live = before.live, .changed = true};
  Pool::PlaceOptions place;
  place.on_check = [&] {
    record.state = ModelState::kChecking;
    Record(name, record);
  };
  place.on_warm_up = [&] {
    record.state = ModelState::kWarming;
    Record(name, record);
  };
  place.accept = [&](InferenceEngine& engine) ABSL_EXCLUSIVE_LOCKS_REQUIRED(reload_mu_) {
    const absl::Status verdict =
        PassGate({record.version, record.identity, engine}, *before.live, entrance.force, &reloaded.gate);
    if (verdict.ok() || reloaded.gate.empty()) return verdict;
    if (!entrance.candidate && !entrance.candidate_if_refused) return verdict;
    reloaded.refused = std::string(verdict.message());
    return absl::OkStatus();
  };
  absl::StatusOr<ModelHandle> made = MakeVersion(name, record.version, *std::move(model), read.origin, place, now);
  status = made.status();
  const bool becomes_candidate = entrance.candidate || !reloaded.refused.empty();
  if (status.ok()) {
    status = becomes_candidate ? MakeCandidate(*made, reloaded.refused, now) : MakeLive(*made, *before.live, now);
  }
  if (absl::IsAborted(status)) record.unreadable = true;  // no verdict on the file
  if (!status.ok()) return Refuse(name, std::move(record), status);
  LogLoaded(becomes_candidate ? "model is a candidate" : "model reloaded", **made);
  (becomes_candidate ? reloaded.candidate : reloaded.live) = *made;
  Keep(name, *made, std::move(read.files));
  return reloaded;
}

absl::StatusOr<ModelRegistry::Reloaded> ModelRegistry::PromoteVersion(const std::string& name,
                                                                      const std::string& version, bool force,
                                                                      absl::Time now) {
  MutexLock one_at_a_time(&reload_mu_);
  ASSIGN_OR_RETURN(const Before before, Look(name));
  const std::string& model_name = before.live->name;
  const absl::StatusOr<ModelHandle> loaded = Find(model_name, version.empty() ? "candidate" : version);
  if (!loaded.ok()) {
    const int64_t number = VersionNumber(version);
    absl::StatusOr<Read> read = loaded.status();
    if (number > 0 && before.path.empty()) read = ReadFolder(model_name, number);
    if (number > 0 && !read.ok() && store_ != nullptr) read = ReadTrained(model_name, number);
    if (!read.ok()) return absl::IsNotFound(read.status()) ? loaded.status() : read.status();
    return BringIn(model_name, before, *std::move(read), {.force = force}, now);
  }
  if (*loaded == before.live) return Reloaded{.live = before.live};
  ASSIGN_OR_RETURN(const std::unique_ptr<InferenceEngine> engine, pool_->MakeEngine(*(*loaded)->model));
  Reloaded reloaded{.changed = true};
  RETURN_IF_ERROR(
      PassGate({(*loaded)->version, (*loaded)->model->identity, *engine}, *before.live, force, &reloaded.gate));
  auto promoted = std::make_shared<LiveModel>(**loaded);
  promoted->live_since = now;
  RETURN_IF_ERROR(MakeLive(promoted, *before.live, now));
  LogLoaded("model promoted", *promoted);
  reloaded.live = promoted;
  Keep(model_name, promoted, nullptr);
  return reloaded;
}

absl::StatusOr<ModelRegistry::Reloaded> ModelRegistry::Publish(const std::string& name, const std::string& path,
                                                               Promote promote, absl::Time now) {
  MutexLock one_at_a_time(&reload_mu_);
  if (store_ == nullptr) return absl::FailedPreconditionError("there is no state folder to store a version in");
  ASSIGN_OR_RETURN(Before before, Look(name));
  const std::string model_name = before.live->name;
  ASSIGN_OR_RETURN(const ModelFiles files, ReadModelFiles(path));
  RETURN_IF_ERROR(LoadModel(files).status());  // what is not sound is not stored
  int64_t above = 0;
  for (const auto& [version, identity] : before.known) above = std::max(above, VersionNumber(version));
  const std::vector<int64_t> versions = folders_.Versions(model_name);
  if (!versions.empty()) above = std::max(above, versions.back());
  ASSIGN_OR_RETURN(const int64_t number, store_->AddTrained(model_name, above, files));
  const Entrance entrance{.force = promote == Promote::kAlways,
                          .candidate = promote == Promote::kNever,
                          .candidate_if_refused = promote == Promote::kIfBetter};
  constexpr int kAttempts = 3;  // ABORTED: what is live was rolled back meanwhile; then it is compared with what is now
  absl::StatusOr<Reloaded> published = absl::AbortedError("");
  for (int i = 0; i < kAttempts && absl::IsAborted(published.status()); ++i) {
    ASSIGN_OR_RETURN(before, Look(model_name));
    ASSIGN_OR_RETURN(Read read, ReadTrained(model_name, number));
    published = BringIn(model_name, before, std::move(read), entrance, now);
  }
  return published;
}

}  // namespace digit
