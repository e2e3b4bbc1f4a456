#include "daemon/registry/model_registry.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/log.h"
#include "base/status.h"

namespace digit {
namespace {

constexpr size_t kDigestVersionDigits = 12;

bool IsNameCharacter(char c) {
  return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '.' || c == '_' || c == '-';
}

}  // namespace

ModelRegistry::ModelRegistry(Pool* pool) : pool_(pool) {}

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
  auto live = std::make_shared<LiveModel>();
  live->name = name;
  live->version = version;
  auto placing = std::make_shared<Model>(std::move(model));
  live->model = placing;
  live->live_since = now;
  absl::StatusOr<std::shared_ptr<PlacedModel>> placed =
      pool_->Place(absl::StrCat(name, "/", version), std::move(placing));
  if (!placed.ok()) {
    const std::string prefix = absl::StrCat("model '", live->model->path, "': ");
    absl::string_view reason = placed.status().message();
    while (absl::ConsumePrefix(&reason, prefix)) {  // an engine that is made from the file names it already
    }
    return absl::Status(placed.status().code(), absl::StrCat(prefix, reason));
  }
  live->placed = *std::move(placed);
  LogInfo("model live", {{"model", name},
                         {"version", version},
                         {"file", live->model->path},
                         {"engine", live->placed->engine_name()},
                         {"executors", absl::StrJoin(live->placed->executor_names(), ",")}});
  MutexLock lock(&mu_);
  models_.emplace(name, std::move(live));
  if (default_name_.empty()) default_name_ = name;
  return absl::OkStatus();
}

absl::StatusOr<ModelHandle> ModelRegistry::Find(absl::string_view name, absl::string_view version) const {
  MutexLock lock(&mu_);
  if (name.empty()) name = default_name_;
  const auto it = models_.find(name);
  if (it == models_.end()) {
    std::vector<absl::string_view> names;
    for (const auto& [known, model] : models_) names.push_back(known);
    return absl::NotFoundError(absl::StrCat("no model '", name, "'; this server has ", absl::StrJoin(names, ", ")));
  }
  const ModelHandle& model = it->second;
  if (!version.empty() && version != model->version) {
    return absl::NotFoundError(
        absl::StrCat("model '", name, "' has no version '", version, "'; live is '", model->version, "'"));
  }
  return model;
}

std::vector<ModelHandle> ModelRegistry::List() const {
  MutexLock lock(&mu_);
  std::vector<ModelHandle> all;
  for (const auto& [name, model] : models_) all.push_back(model);
  return all;
}

std::string ModelRegistry::default_name() const {
  MutexLock lock(&mu_);
  return default_name_;
}

void ModelRegistry::Clear() {
  std::map<std::string, ModelHandle, std::less<>> dropped;  // freed outside the lock
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
