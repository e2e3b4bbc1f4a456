#include "daemon/registry/model_registry.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/status.h"
#include "model/dataset/digit_generator.h"

namespace digit {
namespace {

constexpr size_t kDigestVersionDigits = 12;
constexpr absl::string_view kStable = "stable", kPrevious = "previous";

bool IsNameCharacter(char c) {
  return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '.' || c == '_' || c == '-';
}

VersionRecord RecordOf(const ModelHandle& model, absl::Time now) {
  return {.version = model->version,
          .sha256 = model->model->sha256,
          .path = model->model->path,
          .state = ModelState::kLive,  // while it is loaded Describe() says more
          .since = now,
          .model = model,
          .answers = model->answers};
}

void LogLive(absl::string_view event, const LiveModel& model) {
  LogInfo(event, {{"model", model.name},
                  {"version", model.version},
                  {"file", model.model->path},
                  {"engine", model.placed->engine_name()},
                  {"executors", absl::StrJoin(model.placed->executor_names(), ",")}});
}

}  // namespace

ModelRegistry::ModelRegistry(Options options) : options_(std::move(options)), pool_(options_.pool) {}

absl::Status ModelRegistry::Load(const std::string& name, const std::string& path, absl::Time now) {
  RETURN_IF_ERROR(CheckModelName(name));
  ASSIGN_OR_RETURN(Model model, LoadModel(path));
  const std::string version = ModelVersionOf(path, model.sha256);
  return Add(name, version, std::move(model), now);
}

absl::Status ModelRegistry::Add(const std::string& name, const std::string& version, Model model, absl::Time now) {
  RETURN_IF_ERROR(CheckModelName(name));
  {
    MutexLock lock(&mu_);
    if (models_.contains(name)) return absl::AlreadyExistsError(absl::StrCat("model '", name, "' is given twice"));
  }
  const std::string path = model.path;
  ASSIGN_OR_RETURN(ModelHandle live, MakeVersion(name, version, std::move(model), {}, now));
  LogLive("model live", *live);
  MutexLock lock(&mu_);
  Entry& entry = models_[name];
  entry.path = path;
  entry.versions.push_front(RecordOf(live, now));
  entry.live = std::move(live);
  if (default_name_.empty()) default_name_ = name;
  return absl::OkStatus();
}

absl::StatusOr<ModelHandle> ModelRegistry::MakeVersion(const std::string& name, const std::string& version, Model model,
                                                       const Pool::PlaceOptions& place, absl::Time now) {
  auto made = std::make_shared<LiveModel>();
  made->name = name;
  made->version = version;
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

absl::Status ModelRegistry::CheckReplaces(const Model& candidate, absl::string_view version,
                                          const LiveModel& live) const {
  if (version == live.version) {
    return absl::FailedPreconditionError(
        absl::StrCat("model '", candidate.path, "' has changed, and its folder says that it is still version ", version,
                     ": a version stays what it is. Write the new one to a folder of its own number"));
  }
  if (live.model->is_digit_cnn && !candidate.is_digit_cnn && !options_.allow_torchscript) {
    return absl::FailedPreconditionError(
        absl::StrCat("model '", candidate.path, "' is TorchScript, which is a program; a reload replaces the digit ",
                     "network '", live.name, "' by one only under --engine torch. Start digitd with it, or anew"));
  }
  const std::vector<std::string>& before = live.model->spec.labels;
  const std::vector<std::string>& after = candidate.spec.labels;
  if (after.empty() || after == before) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "model '", candidate.path, "' has other labels than what is live as '", live.name, "': ", after.size(), " (",
      absl::StrJoin(after, ","), ") and not ", before.size(), " (", absl::StrJoin(before, ","), ")"));
}

absl::Status ModelRegistry::AskGate(InferenceEngine& candidate, const LiveModel& live, GateReport* report) {
  constexpr int kGenerated = 1000;
  const LabeledImages generated =
      options_.gate_images.size() > 0 ? LabeledImages() : DigitGenerator(/*seed=*/1).DrawMany(kGenerated);
  const LabeledImages& images = options_.gate_images.size() > 0 ? options_.gate_images : generated;
  ASSIGN_OR_RETURN(const std::unique_ptr<InferenceEngine> live_engine, pool_->MakeEngine(*live.model));
  ASSIGN_OR_RETURN(const std::vector<int> live_classes, ClassesOf(*live_engine, images.pixels));
  ASSIGN_OR_RETURN(const std::vector<int> candidate_classes, ClassesOf(candidate, images.pixels));
  const absl::Span<const uint8_t> labels = options_.gate_images.labels;
  return Judge(labels, live_classes, candidate_classes, report);
}

absl::StatusOr<ModelRegistry::Reloaded> ModelRegistry::Reload(const std::string& name, const ReloadOptions& options,
                                                              absl::Time now) {
  MutexLock one_at_a_time(&reload_mu_);
  std::string path;
  std::set<std::string> rejected;
  ModelHandle live;
  {
    MutexLock lock(&mu_);
    ASSIGN_OR_RETURN(const Entry* entry, FindEntry(name));
    path = entry->path;
    rejected = entry->rejected;
    live = entry->live;
  }
  ASSIGN_OR_RETURN(std::string bytes, ReadModelFile(path));
  VersionRecord record{.sha256 = Sha256Hex(bytes), .path = path, .state = ModelState::kChecking, .since = now};
  record.version = ModelVersionOf(path, record.sha256);
  if (rejected.contains(record.sha256) && !options.force) {
    if (options.automatic) return Reloaded{.live = live};
    return absl::FailedPreconditionError(absl::StrCat("model '", path, "' was refused or rolled back before and has ",
                                                      "not changed since; force it to load it all the same"));
  }
  absl::StatusOr<Model> model = LoadModel(path, std::move(bytes));
  if (!model.ok()) {
    record.unreadable = true;
    return Refuse(live->name, std::move(record), model.status());
  }
  if (record.sha256 == live->model->sha256) return Reloaded{.live = live};
  const absl::Status replaces = CheckReplaces(*model, record.version, *live);
  if (!replaces.ok()) return Refuse(live->name, std::move(record), replaces);

  Record(live->name, record);
  std::string gate;
  Pool::PlaceOptions place;
  place.on_warm_up = [&] {
    record.state = ModelState::kWarming;
    Record(live->name, record);
  };
  place.accept = [&](InferenceEngine& engine) {
    GateReport report;
    const absl::Status verdict = AskGate(engine, *live, &report);
    gate = report.ToString();
    if (verdict.ok() || !options.force) return verdict;
    absl::StrAppend(&gate, " (overruled)");
    LogWarn("gate overruled", {{"model", live->name}, {"version", record.version}, {"gate", verdict}});
    return absl::OkStatus();
  };
  absl::StatusOr<ModelHandle> made = MakeVersion(live->name, record.version, *std::move(model), place, now);
  absl::Status status = made.status();
  if (status.ok()) status = MakeLive(*made, *live, now);
  if (absl::IsAborted(status)) record.unreadable = true;  // no verdict on the file
  if (!status.ok()) return Refuse(live->name, std::move(record), status);
  LogLive("model reloaded", **made);
  return Reloaded{.live = *made, .changed = true, .gate = gate};
}

absl::Status ModelRegistry::Refuse(const std::string& name, VersionRecord record, const absl::Status& why) {
  LogError("model refused", {{"model", name}, {"version", record.version}, {"error", why}});
  record.state = ModelState::kRefused;
  record.reason = std::string(why.message());
  Record(name, std::move(record));
  return why;
}

absl::Status ModelRegistry::MakeLive(const ModelHandle& model, const LiveModel& judged_against, absl::Time now) {
  ModelHandle dropped;  // freed outside the lock
  MutexLock lock(&mu_);
  const auto found = models_.find(model->name);
  if (found == models_.end()) return absl::UnavailableError("the server is shutting down");
  Entry& entry = found->second;
  if (entry.live.get() != &judged_against) {
    return absl::AbortedError(
        absl::StrCat("model '", model->name, "' was rolled back while its new version was being ",
                     "checked; the new one was compared with what is live no more. Reload again"));
  }
  dropped = std::move(entry.previous);
  entry.previous = std::move(entry.live);
  entry.live = model;
  entry.rejected.clear();
  SetRecord(&entry, RecordOf(model, now));
  return absl::OkStatus();
}

absl::StatusOr<ModelHandle> ModelRegistry::Rollback(const std::string& name, absl::Time now) {
  ModelHandle dropped, live;
  {
    MutexLock lock(&mu_);
    ASSIGN_OR_RETURN(const Entry* found, FindEntry(name));
    Entry& entry = models_.find(found->live->name)->second;
    if (entry.previous == nullptr) {
      return absl::FailedPreconditionError(
          absl::StrCat("model '", entry.live->name, "' has no version before the live one, ", entry.live->version));
    }
    dropped = std::move(entry.live);
    entry.rejected.insert(dropped->model->sha256);
    entry.live = std::move(entry.previous);
    live = entry.live;
    VersionRecord record = RecordOf(dropped, now);
    record.reason = "rolled back";
    SetRecord(&entry, std::move(record));
    SetRecord(&entry, RecordOf(live, now));
  }
  LogWarn("model rolled back", {{"model", live->name}, {"from", dropped->version}, {"to", live->version}});
  return live;
}

void ModelRegistry::Record(const std::string& name, VersionRecord record) {
  MutexLock lock(&mu_);
  const auto found = models_.find(name);
  if (found == models_.end()) return;
  // What cannot be read is read again when asked: the file beside it may have changed, or it was half written.
  if (record.state == ModelState::kRefused && !record.unreadable) found->second.rejected.insert(record.sha256);
  SetRecord(&found->second, std::move(record));
}

void ModelRegistry::SetRecord(Entry* entry, VersionRecord record) {
  constexpr size_t kMaxRecords = 20;
  auto& records = entry->versions;
  const auto is_loaded = [](const VersionRecord& known) { return !known.model.expired(); };
  for (VersionRecord& known : records) {
    if (known.sha256 != record.sha256 || !is_loaded(known) || !record.model.expired()) continue;
    known.reason = record.reason;  // it is loaded, whatever became of reading its file again
    return;
  }
  // Of what could not be read only the last one is news: the others were steps of a slow writer.
  const auto replaced = [&](const VersionRecord& known) {
    return known.sha256 == record.sha256 || (known.unreadable && !is_loaded(known));
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

absl::StatusOr<ModelHandle> ModelRegistry::Find(absl::string_view name, absl::string_view version) const {
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const Entry* entry, FindEntry(name));
  const ModelHandle &live = entry->live, &previous = entry->previous;
  if (version.empty() || version == live->version || version == kStable) return live;
  if (previous != nullptr && (version == previous->version || version == kPrevious)) return previous;
  return absl::NotFoundError(
      absl::StrCat("model '", live->name, "' has no version '", version, "'; live is '", live->version, "'",
                   previous == nullptr ? "" : absl::StrCat(", and '", previous->version, "' is still loaded")));
}

absl::StatusOr<ModelDescription> ModelRegistry::Describe(absl::string_view name) const {
  MutexLock lock(&mu_);
  ASSIGN_OR_RETURN(const Entry* entry, FindEntry(name));
  ModelDescription description{.name = entry->live->name,
                               .is_default = entry->live->name == default_name_,
                               .serving = entry->live->placed->serving()};
  for (const VersionRecord& known : entry->versions) {
    VersionRecord record = known;
    const ModelHandle model = record.model.lock();
    if (model != nullptr) {
      record.state = model == entry->live       ? ModelState::kLive
                     : model == entry->previous ? ModelState::kKept
                                                : ModelState::kDraining;
    } else if (record.state == ModelState::kLive) {
      record.state = ModelState::kRetired;
    }
    const bool is_live = model != nullptr && model == entry->live;
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
  for (const auto& [name, entry] : models_) paths[name] = entry.path;
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

std::string ModelVersionOf(absl::string_view path, absl::string_view sha256) {
  const size_t last = path.rfind('/');
  if (last != absl::string_view::npos && last > 0) {
    const absl::string_view folder = path.substr(0, last);
    const absl::string_view name = folder.substr(folder.rfind('/') + 1);
    if (!name.empty() && name[0] != '0' && std::all_of(name.begin(), name.end(), absl::ascii_isdigit)) {
      return std::string(name);
    }
  }
  return std::string(sha256.substr(0, kDigestVersionDigits));
}

std::string ModelNameOf(absl::string_view path) {
  path.remove_prefix(path.rfind('/') + 1);  // npos + 1 is 0
  const size_t dot = path.rfind('.');
  return std::string(dot == absl::string_view::npos || dot == 0 ? path : path.substr(0, dot));
}

absl::Status CheckModelName(absl::string_view name) {
  const bool ok = !name.empty() && name.size() <= 64 &&
                  (absl::ascii_islower(name[0]) || absl::ascii_isdigit(name[0])) &&
                  std::all_of(name.begin(), name.end(), IsNameCharacter);
  if (ok) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("'", name, "' is not a model name; it must match ",
                                                 "[a-z0-9][a-z0-9._-]{0,63}; name it with --model NAME=FILE"));
}

}  // namespace digit
