// How a version comes into the registry: read, checked, judged by the gate, placed.
#include <algorithm>
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
  bool is_saved = false;
  {
    MutexLock lock(&mu_);
    if (models_.contains(name)) return absl::AlreadyExistsError(absl::StrCat("model '", name, "' is given twice"));
    is_saved = saved_.contains(name);
  }
  absl::Status status = is_saved ? LoadSaved(name, path, now) : absl::NotFoundError("");
  if (!status.ok() && !path.empty()) {
    ASSIGN_OR_RETURN(Read read, ReadNewest(name, path));
    status = LoadOne(name, path, std::move(read), now);
  } else if (!status.ok()) {
    std::vector<int64_t> versions = PolicyOf(name).Select(folders_.Versions(name));
    if (PolicyOf(name).kind == VersionPolicy::Kind::kLatest) versions = folders_.Versions(name);
    status = ReadNewest(name, path).status();  // says that there is none
    for (; !versions.empty(); versions.pop_back()) {
      absl::StatusOr<ModelFiles> files = folders_.Read(name, versions.back());
      status = files.status();
      if (status.ok()) status = LoadOne(name, path, {.files = *std::move(files), .origin = Origin::kFolder}, now);
      if (status.ok()) break;
      LogError("model refused", {{"model", name}, {"version", absl::StrCat(versions.back())}, {"error", status}});
    }
  }
  RETURN_IF_ERROR(status);
  LoadOthers(name, now);
  return absl::OkStatus();
}

// Not OK: nothing is loaded, and what the file or the folders hold is to be tried.
absl::Status ModelRegistry::LoadSaved(const std::string& name, const std::string& path, absl::Time now) {
  SavedModel saved;
  {
    MutexLock lock(&mu_);
    saved = saved_[name];
  }
  absl::StatusOr<Read> newest = ReadNewest(name, path);
  absl::StatusOr<Model> model = newest.ok() ? LoadModel(newest->files) : newest.status();
  if (absl::IsNotFound(newest.status()) && !path.empty()) return newest.status();  // somebody wants it gone
  const bool is_live = model.ok() && model->identity == saved.live.identity;
  if (model.ok() && !is_live && model->identity != saved.seen && !saved.rejected.contains(model->identity)) {
    return absl::NotFoundError("the file has changed since");
  }
  if (!model.ok()) LogError("model refused", {{"model", name}, {"error", model.status()}});
  absl::StatusOr<Read> read = is_live ? std::move(newest) : ReadSaved(name, saved.live);
  absl::Status status = read.status();
  if (status.ok()) status = LoadOne(name, path, *std::move(read), now);
  if (!status.ok()) {
    LogError("what was live before the restart cannot be loaded",
             {{"model", name}, {"version", saved.live.version}, {"error", status}});
    return status;
  }
  {
    MutexLock lock(&mu_);
    Entry& entry = models_.find(name)->second;
    entry.seen = saved.seen;
    entry.rejected = saved.rejected;
  }
  if (!saved.candidate.has_value()) return absl::OkStatus();
  read = ReadSaved(name, *saved.candidate);
  status = read.status();
  if (status.ok()) {
    ASSIGN_OR_RETURN(const Before before, Look(name));
    status = BringIn(name, before, *std::move(read), {.candidate = true}, now).status();
  }
  if (!status.ok())
    LogError("the candidate of before the restart cannot be loaded", {{"model", name}, {"error", status}});
  return absl::OkStatus();
}

absl::Status ModelRegistry::LoadOne(const std::string& name, const std::string& path, Read read, absl::Time now) {
  std::map<std::string, std::string> known;
  {
    MutexLock lock(&mu_);
    const auto saved = saved_.find(name);
    if (saved != saved_.end()) known = saved->second.known;
  }
  auto files = std::make_shared<const ModelFiles>(std::move(read.files));
  ASSIGN_OR_RETURN(Model model, LoadModel(*files));
  const std::string version = ModelVersionOf(files->path, model.identity);
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
  if (store_ != nullptr && files->path == path && files->bytes.size() <= kMaxUnsavedBytes) entry.unsaved = files;
  entry.live = std::move(live);
  entry.live_at = options_.clock->Now();
  entry.versions.push_front({.version = version,
                             .identity = identity,
                             .sha256 = entry.live->model->sha256,
                             .path = files->path,
                             .state = ModelState::kLive,
                             .since = now,
                             .model = entry.live});
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
  entry.versions.push_front({.version = version, .state = ModelState::kLive, .since = now, .model = live});
  entry.live = std::move(live);
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
    absl::StatusOr<ModelFiles> files = folders_.Read(name, number);
    absl::StatusOr<Model> model = files.ok() ? LoadModel(*std::move(files)) : files.status();
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
    record.state = ModelState::kLive;  // while it is loaded Describe() says more
    record.model = *made;
    MutexLock lock(&mu_);
    Entry& entry = models_.find(name)->second;
    entry.others.push_back(*std::move(made));
    entry.known[version] = record.identity;
    SetRecord(&entry, std::move(record));
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
  const std::string path = read->files.path;
  // What cannot be parsed has no identity yet: BringIn() says so.
  const absl::StatusOr<Model> parsed = LoadModel(read->files);
  const std::string identity = parsed.ok() ? parsed->identity : "";
  const Reloaded unchanged{.live = before->live};
  if (identity == before->live->model->identity) {
    LoadOthers(model_name, now);
    return unchanged;
  }
  if (!options.force && !options.candidate) {
    if (before->rejected.contains(identity)) {
      if (options.automatic) return unchanged;
      return RefusedBefore(path);
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
  auto files = std::make_shared<const ModelFiles>(std::move(read.files));
  VersionRecord record{.path = files->path, .state = ModelState::kLoading, .since = now};
  record.sha256 = record.identity = Sha256Hex(files->bytes);
  record.version = ModelVersionOf(files->path, record.identity);
  absl::StatusOr<Model> model = LoadModel(*files);
  if (!model.ok()) {
    record.unreadable = true;
    return Refuse(name, std::move(record), model.status());
  }
  record.identity = model->identity;
  record.version = ModelVersionOf(files->path, record.identity);
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
  place.accept = [&](InferenceEngine& engine) {
    GateReport report;
    const absl::Status verdict = AskGate(engine, *before.live, &report);
    if (!verdict.ok() && report.images == 0) return verdict;  // it could not even be asked
    reloaded.gate = report.ToString();
    if (verdict.ok() || entrance.force) {
      if (!verdict.ok()) {
        absl::StrAppend(&reloaded.gate, " (overruled)");
        LogWarn("gate overruled", {{"model", name}, {"version", record.version}, {"gate", verdict}});
      }
      return absl::OkStatus();
    }
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
  Keep(name, *made, std::move(files));
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
    absl::StatusOr<ModelFiles> files = loaded.status();
    Origin origin = Origin::kFolder;
    if (number > 0 && before.path.empty()) files = folders_.Read(model_name, number);
    if (number > 0 && !files.ok() && store_ != nullptr) {
      origin = Origin::kTrained;
      files = store_->trained().Read(model_name, number);
    }
    if (!files.ok()) return absl::IsNotFound(files.status()) ? loaded.status() : files.status();
    return BringIn(model_name, before, {.files = *std::move(files), .origin = origin}, {.force = force}, now);
  }
  if (*loaded == before.live) return Reloaded{.live = before.live};
  ASSIGN_OR_RETURN(const std::unique_ptr<InferenceEngine> engine, pool_->MakeEngine(*(*loaded)->model));
  Reloaded reloaded{.changed = true};
  GateReport report;
  const absl::Status verdict = AskGate(*engine, *before.live, &report);
  reloaded.gate = report.ToString();
  if (!verdict.ok()) {
    if (!force) return verdict;
    absl::StrAppend(&reloaded.gate, " (overruled)");
    LogWarn("gate overruled", {{"model", model_name}, {"version", (*loaded)->version}, {"gate", verdict}});
  }
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
  ASSIGN_OR_RETURN(const Before before, Look(name));
  const std::string& model_name = before.live->name;
  ASSIGN_OR_RETURN(ModelFiles files, ReadModelFiles(path));
  RETURN_IF_ERROR(LoadModel(files).status());
  int64_t above = 0;
  for (const auto& [version, identity] : before.known) above = std::max(above, VersionNumber(version));
  const std::vector<int64_t> versions = folders_.Versions(model_name);
  if (!versions.empty()) above = std::max(above, versions.back());
  ASSIGN_OR_RETURN(const int64_t number, store_->AddTrained(model_name, above, files));
  files.path = store_->trained().PathOf(model_name, number);
  const Entrance entrance{.force = promote == Promote::kAlways,
                          .candidate = promote == Promote::kNever,
                          .candidate_if_refused = promote == Promote::kIfBetter};
  return BringIn(model_name, before, {.files = std::move(files), .origin = Origin::kTrained}, entrance, now);
}

}  // namespace digit
