#include "daemon/registry/model_registry.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/log.h"
#include "base/status.h"

namespace digit {
namespace {

constexpr size_t kDigestVersionDigits = 12;
constexpr absl::string_view kStable = "stable", kPrevious = "previous", kCandidate = "candidate";

absl::Status NoVersion(const LiveModel& live, const std::string& what) {
  return absl::FailedPreconditionError(
      absl::StrCat("model '", live.name, "' has ", what, "; live is '", live.version, "'"));
}

}  // namespace

SavedVersion ModelRegistry::SavedOf(const LiveModel& model) {
  SavedVersion saved{.version = model.version, .identity = model.model->identity, .origin = model.origin};
  if (model.origin == Origin::kTrained) saved.stored = VersionNumber(ModelVersionOf(model.model->path, ""));
  return saved;
}

ModelRegistry::ModelRegistry(Options options)
    : options_(std::move(options)),
      pool_(options_.pool),
      folders_(options_.model_dir),
      digests_(options_.digests),
      store_(options_.state == nullptr || options_.state->path().empty()
                 ? nullptr
                 : std::make_unique<ModelStore>(options_.state)) {}

absl::Status ModelRegistry::Restore() {
  if (store_ == nullptr) return absl::OkStatus();
  store_->DropLeftovers();
  ASSIGN_OR_RETURN(SavedModels saved, store_->Load());
  MutexLock lock(&mu_);
  saved_ = std::move(saved);
  return absl::OkStatus();
}

absl::Status ModelRegistry::Save() {
  constexpr size_t kMaxUnsavedBytes = size_t{64} << 20;  // more is not kept in memory until it can be stored
  if (store_ == nullptr) return absl::OkStatus();
  MutexLock one_at_a_time(&save_mu_);
  SavedModels models;
  std::map<std::string, std::set<std::string>> needed;  // by name: the versions that are needed, by identity
  std::map<std::string, std::set<int64_t>> needed_trained;
  std::map<std::string, std::map<std::string, std::shared_ptr<const ModelFiles>>> unsaved;
  {
    MutexLock lock(&mu_);
    for (auto& [name, entry] : models_) {
      SavedModel& saved = saved_[name];
      saved = {.live = SavedOf(*entry.live), .seen = entry.seen, .rejected = entry.rejected, .known = entry.known};
      if (entry.previous != nullptr) saved.previous = SavedOf(*entry.previous);
      if (entry.candidate != nullptr) saved.candidate = SavedOf(*entry.candidate);
      for (const ModelHandle& model : {entry.live, entry.previous, entry.candidate}) {
        if (model == nullptr) continue;
        needed[name].insert(model->model->identity);
        needed_trained[name].insert(SavedOf(*model).stored);
      }
      std::erase_if(entry.unsaved, [&, n = name](const auto& file) { return !needed[n].contains(file.first); });
      unsaved[name] = entry.unsaved;
    }
    models = saved_;
  }
  absl::Status status;
  for (const auto& [name, files] : unsaved) {
    for (const auto& [identity, content] : files) {
      const absl::Status kept = store_->KeepFile(name, identity, *content);
      status.Update(kept);
      if (!kept.ok() && content->bytes.size() <= kMaxUnsavedBytes) continue;
      MutexLock lock(&mu_);
      const auto found = models_.find(name);
      if (found != models_.end()) found->second.unsaved.erase(identity);
    }
  }
  status.Update(store_->Save(models));
  if (status.ok()) {
    for (const auto& [name, identities] : needed) store_->DropKeptBut(name, identities);
    for (const auto& [name, numbers] : needed_trained) store_->DropTrainedBut(name, numbers);
  } else {
    LogWarn("what is live will not survive a restart", {{"error", status}});
  }
  MutexLock lock(&mu_);
  not_saved_ = std::string(status.message());
  return status;
}

bool ModelRegistry::is_saved() const {
  MutexLock lock(&mu_);
  return not_saved_.empty();
}

// Whether its version is a number that somebody gave it, and not the digits of its identity.
bool ModelRegistry::IsNumbered(const LiveModel& model) {
  return VersionNumber(model.version) > 0 && !absl::StartsWith(model.model->identity, model.version);
}

absl::Status ModelRegistry::MakeLive(const ModelHandle& model, const LiveModel& judged_against, absl::Time now) {
  ModelHandle dropped, dropped_candidate;  // freed outside the lock, as is the shadow
  std::shared_ptr<Shadow> shadow;
  MutexLock lock(&mu_);
  const auto found = models_.find(model->name);
  if (found == models_.end()) return absl::UnavailableError("the server is shutting down");
  Entry& entry = found->second;
  if (entry.live.get() != &judged_against) {
    return absl::AbortedError(absl::StrCat("model '", model->name, "' was rolled back while its new version was being ",
                                           "checked; the new one was compared with what is live no more. Try again"));
  }
  const std::string& identity = model->model->identity;
  const auto is_the_same = [&](const ModelHandle& other) { return other->model->identity == identity; };
  if (entry.candidate != nullptr && is_the_same(entry.candidate)) {
    dropped_candidate = std::move(entry.candidate);
    shadow = std::move(entry.shadow);
  }
  std::erase_if(entry.others, is_the_same);
  if (!is_the_same(entry.live)) {
    dropped = std::exchange(entry.previous, entry.live);
    if (dropped != nullptr && !is_the_same(dropped) && IsSelected(*dropped)) entry.others.push_back(dropped);
  }
  entry.live = model;
  entry.live_at = options_.clock->Now();
  if (model->origin != Origin::kTrained) entry.seen = identity;
  if (IsNumbered(*model)) entry.known[model->version] = identity;
  // A file has changed since; a folder's version stays what it is, and refused.
  if (entry.path.empty()) {
    entry.rejected.erase(identity);
  } else {
    entry.rejected.clear();
  }
  SetRecord(&entry, RecordOf(model, "", now));
  return absl::OkStatus();
}

absl::Status ModelRegistry::MakeCandidate(const ModelHandle& model, const std::string& reason, absl::Time now) {
  ModelHandle dropped;  // freed outside the lock, as is its shadow
  std::shared_ptr<Shadow> shadow;
  MutexLock lock(&mu_);
  const auto found = models_.find(model->name);
  if (found == models_.end()) return absl::UnavailableError("the server is shutting down");
  Entry& entry = found->second;
  dropped = std::exchange(entry.candidate, model);
  shadow = std::move(entry.shadow);
  if (IsNumbered(*model)) entry.known[model->version] = model->model->identity;
  SetRecord(&entry, RecordOf(model, reason, now));
  return absl::OkStatus();
}

ModelHandle ModelRegistry::RollbackLocked(Entry* entry, const std::string& reason, absl::Time now) {
  ModelHandle dropped = std::move(entry->live);
  entry->rejected.insert(dropped->model->identity);
  entry->live = std::move(entry->previous);
  entry->live_at = options_.clock->Now();
  ++entry->rollbacks;
  SetRecord(entry, RecordOf(dropped, reason, now));
  SetRecord(entry, RecordOf(entry->live, "", now));
  LogWarn("model rolled back",
          {{"model", entry->live->name}, {"from", dropped->version}, {"to", entry->live->version}, {"reason", reason}});
  return dropped;
}

absl::StatusOr<ModelHandle> ModelRegistry::Rollback(const std::string& name, absl::Time now) {
  ModelHandle dropped;  // freed outside the lock
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const Entry* found, FindEntry(name));
  Entry& entry = models_.find(found->live->name)->second;
  if (entry.previous == nullptr) return NoVersion(*entry.live, "no version before the live one");
  dropped = RollbackLocked(&entry, "rolled back", now);
  return entry.live;
}

bool ModelRegistry::RollbackFailing(const PlacedModel& placed, const absl::Status& why, absl::Time now) {
  ModelHandle dropped;  // freed outside the lock
  MutexLock lock(&mu_);
  for (auto& [name, entry] : models_) {
    if (entry.live->placed.get() != &placed || entry.previous == nullptr || !entry.previous->placed->serving())
      continue;
    if (options_.clock->Now() - entry.live_at > options_.probation) continue;
    dropped = RollbackLocked(&entry, absl::StrCat("rolled back as it began to fail: ", why.message()), now);
    return true;
  }
  return false;
}

absl::Status ModelRegistry::SetShadow(const std::string& name, double share) {
  if (!(share >= 0 && share <= 1)) {
    return absl::InvalidArgumentError(absl::StrCat("share is ", share, ", must be in 0..1"));
  }
  std::shared_ptr<Shadow> dropped;  // freed outside the lock
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const Entry* found, FindEntry(name));
  Entry& entry = models_.find(found->live->name)->second;
  if (entry.candidate == nullptr) return NoVersion(*entry.live, "no candidate to send copies of requests to");
  auto shadow = share > 0 ? std::make_shared<Shadow>(share, entry.candidate, options_.clock) : nullptr;
  dropped = std::exchange(entry.shadow, std::move(shadow));
  return absl::OkStatus();
}

VersionRecord ModelRegistry::RecordOf(const ModelHandle& model, const std::string& reason, absl::Time now) {
  return {.version = model->version,
          .identity = model->model->identity,
          .sha256 = model->model->sha256,
          .path = model->model->path,
          .state = ModelState::kLive,  // while it is loaded Describe() says more
          .reason = reason,
          .since = now,
          .model = model};
}

absl::Status ModelRegistry::Refuse(const std::string& name, VersionRecord record, const absl::Status& why) {
  LogError("model refused", {{"model", name}, {"version", record.version}, {"error", why}});
  record.state = ModelState::kRefused;
  record.reason = std::string(why.message());
  Record(name, std::move(record));
  Save().IgnoreError();  // a restart must neither bring it in nor miss what is live
  return why;
}

void ModelRegistry::Record(const std::string& name, VersionRecord record) {
  MutexLock lock(&mu_);
  const auto found = models_.find(name);
  if (found == models_.end()) return;
  // What cannot be read is read again when asked: the file beside it may have changed, or it was half written.
  if (record.state == ModelState::kRefused && !record.unreadable) found->second.rejected.insert(record.identity);
  SetRecord(&found->second, std::move(record));
}

void ModelRegistry::SetRecord(Entry* entry, VersionRecord record) {
  constexpr size_t kMaxRecords = 20;
  auto& records = entry->versions;
  const auto is_loaded = [](const VersionRecord& known) { return !known.model.expired(); };
  for (VersionRecord& known : records) {
    if (known.identity != record.identity || !is_loaded(known) || !record.model.expired()) continue;
    known.reason = record.reason;  // it is loaded, whatever became of reading its file again
    return;
  }
  // Of what could not be read only the last one is news: the others were steps of a slow writer.
  const auto replaced = [&](const VersionRecord& known) {
    return known.identity == record.identity || (known.unreadable && !is_loaded(known));
  };
  records.erase(std::remove_if(records.begin(), records.end(), replaced), records.end());
  records.push_front(std::move(record));
  for (size_t i = records.size(); i-- > 0 && records.size() > kMaxRecords;) {
    if (!is_loaded(records[i])) records.erase(records.begin() + static_cast<int64_t>(i));
  }
}

absl::StatusOr<const ModelRegistry::Entry*> ModelRegistry::FindEntry(absl::string_view name) const {
  if (name.empty()) name = default_name_;
  const auto it = models_.find(name);
  if (it != models_.end()) return &it->second;
  return absl::NotFoundError(
      absl::StrCat("no model '", name, "'; this server has ",
                   absl::StrJoin(models_, ", ", [](std::string* out, const auto& m) { out->append(m.first); })));
}

absl::StatusOr<ModelHandle> ModelRegistry::FindVersion(const Entry& entry, absl::string_view version) const {
  if (version.empty() || version == kStable) return entry.live;
  std::string loaded;
  for (const auto& [label, model] :
       {std::pair(kStable, entry.live), std::pair(kPrevious, entry.previous), std::pair(kCandidate, entry.candidate)}) {
    if (model == nullptr) continue;
    if (version == model->version || version == label) return model;
    absl::StrAppend(&loaded, loaded.empty() ? "" : ", ", model->version, " (", label, ")");
  }
  for (const ModelHandle& model : entry.others) {
    if (version == model->version) return model;
    absl::StrAppend(&loaded, ", ", model->version);
  }
  return absl::NotFoundError(
      absl::StrCat("model '", entry.live->name, "' has no version '", version, "'; loaded are ", loaded));
}

absl::StatusOr<ModelHandle> ModelRegistry::Find(absl::string_view name, absl::string_view version) const {
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const Entry* entry, FindEntry(name));
  return FindVersion(*entry, version);
}

absl::StatusOr<ModelRegistry::Binding> ModelRegistry::Bind(absl::string_view name, absl::string_view version) const {
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const Entry* entry, FindEntry(name));
  if (version.empty()) return Binding{.model = entry->live, .shadow = entry->shadow};
  ASSIGN_OR_RETURN(ModelHandle model, FindVersion(*entry, version));
  return Binding{.model = std::move(model)};
}

absl::StatusOr<ModelDescription> ModelRegistry::Describe(absl::string_view name) const {
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const Entry* entry, FindEntry(name));
  ModelDescription description{.name = entry->live->name,
                               .is_default = entry->live->name == default_name_,
                               .serving = entry->live->placed->serving(),
                               .rollbacks = entry->rollbacks};
  for (const VersionRecord& known : entry->versions) {
    VersionRecord record = known;
    const ModelHandle model = record.model.lock();
    const bool is_other = std::find(entry->others.begin(), entry->others.end(), model) != entry->others.end();
    if (model != nullptr) {
      record.state = model == entry->live                   ? ModelState::kLive
                     : model == entry->candidate            ? ModelState::kCandidate
                     : model == entry->previous || is_other ? ModelState::kKept
                                                            : ModelState::kDraining;
    } else if (record.state == ModelState::kLive) {
      record.state = ModelState::kRetired;
    }
    if (record.state == ModelState::kCandidate) record.shadow = entry->shadow;
    const bool is_live = model != nullptr && model == entry->live;
    if (is_live && !not_saved_.empty()) record.reason = absl::StrCat("will not survive a restart: ", not_saved_);
    description.versions.insert(is_live ? description.versions.begin() : description.versions.end(), std::move(record));
  }
  return description;
}

std::vector<std::string> ModelRegistry::Names() const {
  MutexLock lock(&mu_);
  std::vector<std::string> names;
  for (const auto& [name, entry] : models_) names.push_back(name);
  return names;
}

std::map<std::string, std::string> ModelRegistry::Paths() const {
  MutexLock lock(&mu_);
  std::map<std::string, std::string> paths;
  for (const auto& [name, entry] : models_) {
    if (!entry.path.empty()) paths[name] = entry.path;
  }
  return paths;
}

std::string ModelRegistry::default_name() const {
  MutexLock lock(&mu_);
  return default_name_;
}

void ModelRegistry::Clear() {
  std::map<std::string, Entry, std::less<>> dropped;  // freed outside the lock
  MutexLock lock(&mu_);
  dropped.swap(models_);
}

const VersionPolicy& ModelRegistry::PolicyOf(const std::string& name) const {
  static const VersionPolicy& latest = *new VersionPolicy;
  auto found = options_.policies.find(name);
  if (found == options_.policies.end()) found = options_.policies.find("");
  return found == options_.policies.end() ? latest : found->second;
}

bool ModelRegistry::IsSelected(const LiveModel& model) const {
  const VersionPolicy& policy = PolicyOf(model.name);
  if (model.origin != Origin::kFolder || policy.kind == VersionPolicy::Kind::kLatest) return false;
  return !policy.Select({VersionNumber(model.version)}).empty();
}

std::string ModelVersionOf(absl::string_view path, absl::string_view identity) {
  std::error_code error;
  const std::filesystem::path whole = std::filesystem::absolute(std::string(path), error).lexically_normal();
  const int64_t number = VersionNumber(whole.parent_path().filename().string());
  return number > 0 ? absl::StrCat(number) : std::string(identity.substr(0, kDigestVersionDigits));
}

std::string ModelNameOf(absl::string_view path) {
  path.remove_prefix(path.rfind('/') + 1);  // npos + 1 is 0
  const size_t dot = path.rfind('.');
  return std::string(dot == absl::string_view::npos || dot == 0 ? path : path.substr(0, dot));
}

}  // namespace digit
