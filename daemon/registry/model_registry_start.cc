// What is loaded first: from files and version folders, and as it was before a restart.
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "daemon/registry/model_registry.h"

namespace digit {
namespace {

// What is larger is not kept in memory until it is in the store, and so does not survive a restart once its file has
// been replaced.
constexpr size_t kMaxUnsavedBytes = size_t{64} << 20;

}  // namespace

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
  std::optional<VersionRecord> kept_out;
  if (saved.has_value() && newest.ok() && newest->model.ok() && saved->rejected.contains(newest->model->identity)) {
    kept_out = RecordOf(*newest, path, now);
    kept_out->state = ModelState::kRefused;
    kept_out->reason = std::string(RefusedBefore(kept_out->path).message());
  }
  RETURN_IF_ERROR(saved.has_value() ? LoadAsSaved(name, path, *saved, std::move(newest), now)
                                    : LoadNewest(name, path, std::move(newest), now));
  if (saved.has_value()) {
    ASSIGN_OR_RETURN(const ModelHandle live, Find(name, ""));
    if (path.empty()) {
      MutexLock lock(&mu_);
      std::set<std::string>& rejected = models_.find(name)->second.rejected;
      rejected = saved->rejected;
      rejected.erase(live->model->identity);
    }
    if (kept_out.has_value() && kept_out->identity != live->model->identity) {
      LogWarn("model kept out", {{"model", name}, {"version", kept_out->version}, {"reason", kept_out->reason}});
      Record(name, *std::move(kept_out));
    }
    const std::optional<SavedVersion> previous =
        live->model->identity == saved->live.identity ? saved->previous : std::optional(saved->live);
    if (previous.has_value()) LoadPrevious(name, *previous, now);
  }
  LoadOthers(name, now);
  return absl::OkStatus();
}

// What was live before what is live now, so that a rollback is possible after a restart too.
void ModelRegistry::LoadPrevious(const std::string& name, const SavedVersion& version, absl::Time now) {
  absl::StatusOr<Read> read = ReadSaved(name, version);
  absl::StatusOr<Model> model = read.ok() ? std::move(read->model) : read.status();
  absl::Status status = model.status();
  const absl::StatusOr<Before> before = Look(name);
  if (status.ok()) status = before.status();
  if (status.ok()) status = CheckReplaces(*model, *before->live);
  absl::StatusOr<ModelHandle> made =
      status.ok() ? MakeVersion(name, version.version, *std::move(model), version.origin, {}, now) : status;
  if (!made.ok()) {
    LogWarn("no rollback: the version before the live one cannot be loaded",
            {{"model", name}, {"version", version.version}, {"error", made.status()}});
    return;
  }
  MutexLock lock(&mu_);
  Entry& entry = models_.find(name)->second;
  if (entry.live->model->identity == (*made)->model->identity) return;
  entry.previous = *made;
  SetRecord(&entry, RecordOf(*made, "", now));
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
  const bool deselected = path.empty() && saved.live.origin == Origin::kFolder &&
                          PolicyOf(name).Select({VersionNumber(saved.live.version)}).empty();
  if (gone || deselected) return LoadNewest(name, path, std::move(newest), now);
  if (changed) {
    const absl::Status status = LoadNewest(name, path, std::move(newest), now);
    if (status.ok()) return status;
    LogError("model refused", {{"model", name}, {"error", status}});
  }
  if (is_live) {
    RETURN_IF_ERROR(LoadNewest(name, path, std::move(newest), now));
  } else {
    if (!changed && !sound.ok()) LogError("model refused", {{"model", name}, {"error", sound}});
    absl::StatusOr<Read> read = ReadSaved(name, saved.live);
    const absl::Status status = read.ok() ? LoadOne(name, path, *std::move(read), now) : read.status();
    if (!status.ok()) {
      LogError("what was live before the restart cannot be loaded",
               {{"model", name}, {"version", saved.live.version}, {"error", status}});
      return changed ? status : LoadNewest(name, path, std::move(newest), now);
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
  const std::string version = VersionOf(path, model, read.origin);
  RETURN_IF_ERROR(CheckKnown(model, version, read.origin, known));
  const std::string identity = model.identity;
  ASSIGN_OR_RETURN(ModelHandle live, MakeVersion(name, version, std::move(model), read.origin, {}, now));
  LogLoaded("model live", *live);
  MutexLock lock(&mu_);
  Entry& entry = models_[name];
  entry.path = path;
  entry.seen = identity;
  entry.known = std::move(known);
  if (IsNumbered(*live)) entry.known[version] = identity;
  const bool is_given = read.files->path == path;  // else it is in the store, or in a folder that is not replaced
  if (store_ != nullptr && is_given && read.files->bytes.size() <= kMaxUnsavedBytes) {
    entry.unsaved[identity] = read.files;
  }
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

}  // namespace digit
