// What the registry reads versions from, and what it keeps for a restart.
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
  const int64_t number = VersionNumber(version.version);
  return version.origin == Origin::kFolder ? ReadFolder(name, number) : ReadTrained(name, number);
}

absl::StatusOr<ModelFiles> ModelRegistry::ReadLive(const std::string& name) const {
  ModelHandle live;
  {
    MutexLock lock(&mu_);
    ASSIGN_OR_RETURN(const Entry* entry, FindEntry(name));
    if (entry->unsaved != nullptr) return *entry->unsaved;
    live = entry->live;
  }
  absl::StatusOr<ModelFiles> files = ReadModelFiles(live->model->path);
  if (files.ok() && Sha256Hex(files->bytes) == live->model->sha256) return files;
  if (store_ != nullptr) {
    absl::StatusOr<Read> kept =
        ReadSaved(live->name, {.version = live->version, .identity = live->model->identity, .origin = live->origin});
    if (kept.ok() && kept->model.ok() && kept->model->sha256 == live->model->sha256) return *kept->files;
  }
  return absl::FailedPreconditionError(
      absl::StrCat("the file '", live->model->path, "' does not hold what is live as '", live->name, "' any more"));
}

// After `model` has come in: whatever is needed to have it again after a restart. `files`: what it was read from; null:
// it was loaded before.
void ModelRegistry::Keep(const std::string& name, const ModelHandle& model, std::shared_ptr<const ModelFiles> files) {
  std::vector<std::pair<std::string, std::shared_ptr<const ModelFiles>>> kept;
  {
    MutexLock lock(&mu_);
    const auto found = models_.find(name);
    if (found == models_.end()) return;
    Entry& entry = found->second;
    if (entry.unsaved != nullptr) {
      const ModelHandle& started_with = entry.live == model ? entry.previous : entry.live;
      if (started_with != nullptr) kept.emplace_back(started_with->model->identity, std::move(entry.unsaved));
      entry.unsaved = nullptr;
    }
  }
  if (store_ == nullptr) return;
  if (model->origin == Origin::kFile && files != nullptr) kept.emplace_back(model->model->identity, std::move(files));
  for (const auto& [identity, content] : kept) {
    const absl::Status status = store_->KeepFile(name, identity, *content);
    if (!status.ok()) LogWarn("what is live will not survive a restart", {{"model", name}, {"error", status}});
  }
  const absl::StatusOr<ModelHandle> live = Find(name, "");
  if (live.ok() && *live == model && model->origin == Origin::kTrained) ShareTrained(*model);
  Save();
}

// Others who watch the same version folders follow.
void ModelRegistry::ShareTrained(const LiveModel& model) const {
  const absl::StatusOr<Before> before = Look(model.name);
  if (!before.ok() || !before->path.empty() || folders_.root().empty()) return;
  const absl::StatusOr<ModelFiles> files = store_->trained().Read(model.name, VersionNumber(model.version));
  absl::Status status = files.status();
  if (status.ok()) {
    status = WriteModelFolder(absl::StrCat(folders_.root(), "/", model.name, "/", model.version), *files);
  }
  if (status.ok() || absl::IsAlreadyExists(status)) return;
  LogWarn("what was trained here is not shared",
          {{"model", model.name}, {"version", model.version}, {"error", status}});
}

}  // namespace digit
