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

void ModelRegistry::LogLoaded(absl::string_view event, const LiveModel& model) {
  LogInfo(event, {{"model", model.name},
                  {"version", model.version},
                  {"file", model.model->path},
                  {"engine", model.placed->engine_name()},
                  {"executors", absl::StrJoin(model.placed->executor_names(), ",")}});
}

absl::StatusOr<ModelRegistry::Before> ModelRegistry::Look(const std::string& name) const {
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const Entry* entry, FindEntry(name));
  return Before{.path = entry->path,
                .live = entry->live,
                .candidate = entry->candidate == nullptr ? "" : entry->candidate->model->identity,
                .seen = entry->seen,
                .rejected = entry->rejected,
                .known = entry->known};
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
  Pool::PlaceOptions checked = place;
  checked.accept_half = [&](InferenceEngine& half, InferenceEngine& single) { return CheckHalf(name, half, single); };
  absl::StatusOr<std::shared_ptr<PlacedModel>> placed =
      pool_->Place(absl::StrCat(name, "/", version), std::move(placing), checked);
  if (!placed.ok()) {
    const std::string prefix = absl::StrCat("model '", made->model->path, "': ");
    absl::string_view reason = placed.status().message();
    while (absl::ConsumePrefix(&reason, prefix)) {  // an engine that is made from the file names it already
    }
    // An engine that fails at a model that is tried is no fault of the server.
    const absl::StatusCode code = placed.status().code();
    return absl::Status(code == absl::StatusCode::kInternal ? absl::StatusCode::kFailedPrecondition : code,
                        absl::StrCat(prefix, reason));
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
    Save().IgnoreError();
    return Reloaded{.live = std::move(live), .changed = true};
  }
  const std::string& model_name = before->live->name;
  absl::StatusOr<Reloaded> reloaded = absl::NotFoundError("");
  if (!before->path.empty()) {
    reloaded = ReloadFrom(model_name, *before, ReadNewest(model_name, before->path), before->path, options, now);
  } else {
    const std::vector<int64_t> versions = WorthATry(model_name, *before);
    if (versions.empty()) return ReadNewest(model_name, "").status();
    for (const int64_t version : versions) {
      absl::StatusOr<Reloaded> tried = ReloadFrom(model_name, *before, ReadFolder(model_name, version),
                                                  folders_.PathOf(model_name, version), options, now);
      const bool changed = tried.ok() && tried->changed;
      if (changed || version == versions.front()) reloaded = std::move(tried);  // else the highest one's is told
      if (changed || options.force || options.candidate) break;
    }
  }
  if (reloaded.ok()) LoadOthers(model_name, now);
  return reloaded;
}

// The version folders that may become live, in the order in which they are tried: the highest, then, should it be
// refused, lower ones that are newer than all that have been loaded.
std::vector<int64_t> ModelRegistry::WorthATry(const std::string& name, const Before& before) const {
  int64_t newest_known = 0;
  for (const auto& [version, identity] : before.known) newest_known = std::max(newest_known, VersionNumber(version));
  std::vector<int64_t> versions = folders_.Versions(name);
  const VersionPolicy& policy = PolicyOf(name);
  if (policy.kind != VersionPolicy::Kind::kLatest) versions = policy.Select(versions);
  std::reverse(versions.begin(), versions.end());
  const auto end = std::find_if(versions.begin() + (versions.empty() ? 0 : 1), versions.end(),
                                [&](int64_t version) { return version <= newest_known; });
  versions.erase(end, versions.end());
  return versions;
}

absl::StatusOr<ModelRegistry::Reloaded> ModelRegistry::ReloadFrom(const std::string& name, const Before& before,
                                                                  absl::StatusOr<Read> read, const std::string& path,
                                                                  const ReloadOptions& options, absl::Time now) {
  if (!read.ok()) {
    VersionRecord record{.version = "unread", .path = path, .since = now};
    record.unreadable = true;
    return Refuse(name, std::move(record), read.status());
  }
  const std::string identity = read->model.ok() ? read->model->identity : "";  // else BringIn() says why
  const Reloaded unchanged{.live = before.live};
  if (identity == before.live->model->identity) return unchanged;
  if (!options.force && !options.candidate) {
    if (before.rejected.contains(identity)) {
      if (options.automatic) return unchanged;
      return RefusedBefore(read->files->path);
    }
    if (identity == before.seen) return unchanged;
    // Somebody asked for a candidate: whoever watches the file must not make it live.
    if (options.automatic && !identity.empty() && identity == before.candidate) return unchanged;
  }
  return BringIn(name, before, *std::move(read),
                 {.force = options.force && !options.candidate, .candidate = options.candidate}, now);
}

// The number of a version is its folder's; what was trained here has one of its own only for a model of a file, for
// folders may be shared with others who train.
std::string ModelRegistry::VersionOf(const std::string& path, const Model& model, Origin origin) const {
  const bool is_private = origin == Origin::kTrained && path.empty() && !folders_.root().empty();
  return ModelVersionOf(is_private ? "" : model.path, model.identity);
}

absl::Status ModelRegistry::RefusedBefore(const std::string& path) {
  return absl::FailedPreconditionError(absl::StrCat("model '", path, "' was refused or rolled back before and has not ",
                                                    "changed since; force it to load it all the same"));
}

VersionRecord ModelRegistry::RecordOf(const Read& read, const std::string& path, absl::Time now) const {
  VersionRecord record{.path = read.files->path, .state = ModelState::kLoading, .since = now};
  record.sha256 = read.model.ok() ? read.model->sha256 : Sha256Hex(read.files->bytes);
  record.identity = read.model.ok() ? read.model->identity : record.sha256;
  record.version =
      read.model.ok() ? VersionOf(path, *read.model, read.origin) : ModelVersionOf(record.path, record.identity);
  return record;
}

absl::StatusOr<ModelRegistry::Reloaded> ModelRegistry::BringIn(const std::string& name, const Before& before, Read read,
                                                               const Entrance& entrance, absl::Time now) {
  absl::StatusOr<Model>& model = read.model;
  VersionRecord record = RecordOf(read, before.path, now);
  if (!model.ok()) {
    record.unreadable = true;
    return Refuse(name, std::move(record), model.status());
  }
  Record(name, record);
  absl::Status status = digests_.Check(model->sha256, model->path);
  if (!status.ok()) {
    record.unreadable = true;  // the list may grow
    return Refuse(name, std::move(record), status);
  }
  status = CheckKnown(*model, record.version, read.origin, before.known);
  if (status.ok()) status = CheckReplaces(*model, *before.live);
  if (!status.ok()) return Refuse(name, std::move(record), status);

  Reloaded reloaded{.live = before.live, .changed = true};
  bool was_asked = true;
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
    absl::Status verdict =
        PassGate({record.version, record.identity, engine}, *before.live, entrance.force, &reloaded.gate, &was_asked);
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
  // No verdict on the file:
  if (!was_asked || absl::IsAborted(status) || absl::IsResourceExhausted(status)) record.unreadable = true;
  if (!status.ok()) return Refuse(name, std::move(record), status);
  const ModelHandle entered = becomes_candidate ? *made : ShareTrained(*made, now);
  LogLoaded(becomes_candidate ? "model is a candidate" : "model reloaded", *entered);
  (becomes_candidate ? reloaded.candidate : reloaded.live) = entered;
  Keep(name, entered, std::move(read.files));
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
    if (number > 0 && !before.path.empty() && store_ != nullptr) read = ReadTrained(model_name, number);
    if (!read.ok()) return absl::IsNotFound(read.status()) ? loaded.status() : read.status();
    return BringIn(model_name, before, *std::move(read), {.force = force}, now);
  }
  if ((*loaded)->model->identity == before.live->model->identity) return Reloaded{.live = before.live};
  ASSIGN_OR_RETURN(const std::unique_ptr<InferenceEngine> engine, pool_->MakeEngine(*(*loaded)->model));
  Reloaded reloaded{.changed = true};
  bool was_asked = true;
  RETURN_IF_ERROR(PassGate({(*loaded)->version, (*loaded)->model->identity, *engine}, *before.live, force,
                           &reloaded.gate, &was_asked));
  auto promoted = std::make_shared<LiveModel>(**loaded);
  promoted->live_since = now;
  RETURN_IF_ERROR(MakeLive(promoted, *before.live, now));
  reloaded.live = ShareTrained(promoted, now);
  LogLoaded("model promoted", *reloaded.live);
  Keep(model_name, reloaded.live, nullptr);
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
  if (!before.path.empty()) {
    for (const auto& [version, identity] : before.known) above = std::max(above, VersionNumber(version));
  }
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
