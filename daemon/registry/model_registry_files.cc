// What the registry reads versions from, and what it keeps for a restart.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/status.h"
#include "daemon/registry/model_registry.h"

namespace digit {

absl::StatusOr<ModelRegistry::Read> ModelRegistry::Parse(absl::StatusOr<ModelFiles> files, Origin origin) {
  RETURN_IF_ERROR(files.status());
  auto content = std::make_shared<const ModelFiles>(*std::move(files));
  absl::StatusOr<Model> model = LoadModel(*content);
  return Read{.files = std::move(content), .origin = origin, .model = std::move(model)};
}

absl::StatusOr<ModelRegistry::Read> ModelRegistry::ReadFolder(const std::string& name, int64_t version) const {
  return Parse(folders_.Read(name, version), Origin::kFolder);
}

absl::StatusOr<ModelRegistry::Read> ModelRegistry::ReadTrained(const std::string& name, int64_t version) const {
  return Parse(store_->trained().Read(name, version), Origin::kTrained);
}

absl::StatusOr<ModelRegistry::Read> ModelRegistry::ReadNewest(const std::string& name, const std::string& path) const {
  if (!path.empty()) return Parse(ReadModelFiles(path), Origin::kFile);
  const std::vector<int64_t> versions = PolicyOf(name).Select(folders_.Versions(name));
  if (versions.empty()) {
    return absl::NotFoundError(
        absl::StrCat("model '", name, "' has no version in '", folders_.root(), "/", name, "' that is to be loaded"));
  }
  return ReadFolder(name, versions.back());
}

absl::StatusOr<ModelRegistry::Read> ModelRegistry::ReadSaved(const std::string& name,
                                                             const SavedVersion& version) const {
  if (version.origin == Origin::kFile) return Parse(store_->ReadKept(name, version.identity), version.origin);
  if (version.origin == Origin::kFolder) return ReadFolder(name, VersionNumber(version.version));
  return ReadTrained(name, version.stored > 0 ? version.stored : VersionNumber(version.version));
}

absl::StatusOr<ModelFiles> ModelRegistry::ReadLive(const std::string& name) const {
  ModelHandle live;
  {
    MutexLock lock(&mu_);
    ASSIGN_OR_RETURN(const Entry* entry, FindEntry(name));
    live = entry->live;
    const auto unsaved = entry->unsaved.find(live->model->identity);
    if (unsaved != entry->unsaved.end()) return *unsaved->second;
  }
  absl::StatusOr<ModelFiles> files = ReadModelFiles(live->model->path);
  if (files.ok() && Sha256Hex(files->bytes) == live->model->sha256) return files;
  if (store_ != nullptr) {
    absl::StatusOr<Read> kept = ReadSaved(live->name, SavedOf(*live));
    if (kept.ok() && kept->model.ok() && kept->model->sha256 == live->model->sha256) return *kept->files;
  }
  return absl::FailedPreconditionError(
      absl::StrCat("the file '", live->model->path, "' does not hold what is live as '", live->name, "' any more"));
}

// After `model` has come in: whatever is needed to have it again after a restart. `files`: what it was read from; null:
// it was loaded before.
void ModelRegistry::Keep(const std::string& name, const ModelHandle& model, std::shared_ptr<const ModelFiles> files) {
  if (store_ == nullptr) return;
  if (model->origin == Origin::kFile && files != nullptr) {
    MutexLock lock(&mu_);
    const auto found = models_.find(name);
    if (found != models_.end()) found->second.unsaved[model->model->identity] = std::move(files);
  }
  Save().IgnoreError();  // said by Describe()
}

// What was trained here and is live goes to the version folders, so that others who watch them follow. There it gets
// its number: a number that each of several servers gave by itself would be another version in each. Returns what is
// live then.
ModelHandle ModelRegistry::ShareTrained(const ModelHandle& model, absl::Time now) {
  const absl::StatusOr<Before> before = Look(model->name);
  if (model->origin != Origin::kTrained || !before.ok() || !before->path.empty() || folders_.root().empty()) {
    return model;
  }
  const absl::StatusOr<ModelFiles> files = store_->trained().Read(model->name, SavedOf(*model).stored);
  int64_t above = 0;
  for (const auto& [version, identity] : before->known) above = std::max(above, VersionNumber(version));
  const absl::StatusOr<int64_t> number =
      files.ok() ? folders_.Add(model->name, above, *files) : absl::StatusOr<int64_t>(files.status());
  if (!number.ok()) {
    LogWarn("what was trained here is not shared",
            {{"model", model->name}, {"version", model->version}, {"error", number.status()}});
    return model;
  }
  auto shared = std::make_shared<LiveModel>(*model);
  shared->version = absl::StrCat(*number);
  shared->origin = Origin::kFolder;
  ModelHandle dropped;  // freed outside the lock
  MutexLock lock(&mu_);
  const auto found = models_.find(model->name);
  if (found == models_.end() || found->second.live != model) return model;
  Entry& entry = found->second;
  dropped = std::exchange(entry.live, shared);
  entry.seen = shared->model->identity;
  entry.known[shared->version] = shared->model->identity;
  SetRecord(&entry, RecordOf(shared, "", now));
  return shared;
}

}  // namespace digit
