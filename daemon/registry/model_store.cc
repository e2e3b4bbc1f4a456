#include "daemon/registry/model_store.h"

#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/json.h"
#include "base/status.h"

namespace digit {
namespace {

constexpr char kFormat[] = "digitd live models 1";
constexpr size_t kFolderDigits = 12;  // of the identity

const char* NameOf(Origin origin) {
  switch (origin) {
    case Origin::kFile:
      return "file";
    case Origin::kFolder:
      return "folder";
    case Origin::kTrained:
      return "trained";
  }
  return "";
}

json::value ToJson(const SavedVersion& version) {
  json::object object = {
      {"version", version.version}, {"identity", version.identity}, {"origin", NameOf(version.origin)}};
  if (version.stored > 0) object["stored"] = version.stored;
  return object;
}

// The parts of the file are looked up by name; a wrong type throws, which ParseSavedModels() catches.
std::string StringAt(const json::object& object, const char* key) { return object.at(key).as_string().c_str(); }

SavedVersion VersionOf(const json::value& value) {
  const json::object& object = value.as_object();
  SavedVersion version{.version = StringAt(object, "version"), .identity = StringAt(object, "identity")};
  const std::string origin = StringAt(object, "origin");
  for (const Origin known : {Origin::kFile, Origin::kFolder, Origin::kTrained}) {
    if (origin == NameOf(known)) version.origin = known;
  }
  if (const json::value* stored = object.if_contains("stored")) version.stored = stored->as_int64();
  return version;
}

SavedModel ModelOf(const json::value& value) {
  const json::object& object = value.as_object();
  SavedModel model{.live = VersionOf(object.at("live")), .seen = StringAt(object, "seen")};
  if (const json::value* previous = object.if_contains("previous")) model.previous = VersionOf(*previous);
  if (const json::value* candidate = object.if_contains("candidate")) model.candidate = VersionOf(*candidate);
  for (const json::value& identity : object.at("rejected").as_array()) {
    model.rejected.insert(identity.as_string().c_str());
  }
  for (const auto& [version, identity] : object.at("known").as_object()) {
    model.known[std::string(version)] = identity.as_string().c_str();
  }
  return model;
}

}  // namespace

std::string FormatSavedModels(const SavedModels& models) {
  json::object by_name;
  for (const auto& [name, model] : models) {
    json::object object = {{"live", ToJson(model.live)}, {"seen", model.seen}};
    if (model.previous.has_value()) object["previous"] = ToJson(*model.previous);
    if (model.candidate.has_value()) object["candidate"] = ToJson(*model.candidate);
    json::array rejected(model.rejected.begin(), model.rejected.end());
    json::object known;
    for (const auto& [version, identity] : model.known) known[version] = identity;
    object["rejected"] = std::move(rejected);
    object["known"] = std::move(known);
    by_name[name] = std::move(object);
  }
  return json::serialize(json::object{{"format", kFormat}, {"models", std::move(by_name)}}) + "\n";
}

absl::StatusOr<SavedModels> ParseSavedModels(absl::string_view text, absl::string_view what) {
  ASSIGN_OR_RETURN(const json::value value, ParseJson(text, what));
  try {
    SavedModels models;
    const json::object& object = value.as_object();
    if (StringAt(object, "format") != kFormat) {
      return absl::InvalidArgumentError(absl::StrCat(what, ": its format is not '", kFormat, "'"));
    }
    for (const auto& [name, model] : object.at("models").as_object()) models[std::string(name)] = ModelOf(model);
    return models;
  } catch (const std::exception& e) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": a part is missing or of a wrong type: ", e.what()));
  }
}

ModelStore::ModelStore(StateFolder* folder) : folder_(folder), trained_(folder->path() + "/models") {}

absl::StatusOr<SavedModels> ModelStore::Load() const {
  constexpr int64_t kMaxBytes = 16 << 20;
  const std::string path = folder_->path() + "/live.json";
  const absl::StatusOr<std::string> text = ReadFile(path, kMaxBytes);
  if (absl::IsNotFound(text.status())) return SavedModels();
  RETURN_IF_ERROR(text.status());
  return ParseSavedModels(*text, absl::StrCat("'", path, "'"));
}

absl::Status ModelStore::Save(const SavedModels& models) {
  RETURN_IF_ERROR(folder_->Open());
  return WriteFileAtomically(folder_->path() + "/live.json", FormatSavedModels(models));
}

std::string ModelStore::KeptFolder(const std::string& name, const std::string& identity) const {
  return absl::StrCat(folder_->path(), "/files/", name, "/", identity.substr(0, kFolderDigits));
}

absl::Status ModelStore::KeepFile(const std::string& name, const std::string& identity, const ModelFiles& files) {
  RETURN_IF_ERROR(folder_->Open());
  const absl::Status status = WriteModelFolder(KeptFolder(name, identity), files);
  return absl::IsAlreadyExists(status) ? absl::OkStatus() : status;
}

absl::StatusOr<ModelFiles> ModelStore::ReadKept(const std::string& name, const std::string& identity) const {
  ASSIGN_OR_RETURN(ModelFiles files, ReadModelFiles(KeptFolder(name, identity) + "/model.pt"));
  return files;
}

void ModelStore::DropKeptBut(const std::string& name, const std::set<std::string>& identities) {
  std::set<std::string> keep;
  for (const std::string& identity : identities) keep.insert(identity.substr(0, kFolderDigits));
  std::error_code error;
  std::vector<std::filesystem::path> dropped;
  const std::filesystem::path folder = absl::StrCat(folder_->path(), "/files/", name);
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (!keep.contains(entry.path().filename().string())) dropped.push_back(entry.path());
  }
  for (const std::filesystem::path& path : dropped) std::filesystem::remove_all(path, error);
}

void ModelStore::DropTrainedBut(const std::string& name, const std::set<int64_t>& needed) {
  constexpr size_t kNewest = 20;
  std::vector<int64_t> versions = trained_.Versions(name);
  if (versions.size() <= kNewest) return;
  versions.resize(versions.size() - kNewest);
  for (const int64_t version : versions) {
    if (needed.contains(version)) continue;
    std::error_code ignored;
    std::filesystem::remove_all(std::filesystem::path(trained_.PathOf(name, version)).parent_path(), ignored);
  }
}

void ModelStore::DropLeftovers() {
  std::vector<std::filesystem::path> dropped;
  for (const char* part : {"models", "files"}) {
    std::error_code error;
    for (const auto& name : std::filesystem::directory_iterator(folder_->path() + "/" + part, error)) {
      for (const auto& entry : std::filesystem::directory_iterator(name.path(), error)) {
        if (absl::StartsWith(entry.path().filename().string(), kUnfinished)) dropped.push_back(entry.path());
      }
    }
  }
  std::error_code ignored;
  for (const std::filesystem::path& path : dropped) std::filesystem::remove_all(path, ignored);
}

absl::StatusOr<int64_t> ModelStore::AddTrained(const std::string& name, int64_t above, const ModelFiles& files) {
  RETURN_IF_ERROR(folder_->Open());
  return trained_.Add(name, above, files);
}

}  // namespace digit
