// What the registry keeps in the state folder, so that what is live survives a restart:
//   live.json               which version of each model is live, and what was rolled back
//   files/NAME/DIGEST/      copies of what a --model FILE has held while it was live: the file itself is replaced
//   models/NAME/N/          versions that were trained here
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/state_folder.h"
#include "daemon/registry/live_model.h"
#include "daemon/registry/version_folders.h"
#include "model/engine/model.h"

namespace digit {

struct SavedVersion {
  std::string version;
  std::string identity;  // Model::identity
  Origin origin = Origin::kFile;
  int64_t stored = 0;  // kTrained: its number in models/NAME

  friend bool operator==(const SavedVersion&, const SavedVersion&) = default;
};

struct SavedModel {
  SavedVersion live;
  std::optional<SavedVersion> previous, candidate;
  std::string seen;                          // identity of what the file, or the newest folder, held when it went live
  std::set<std::string> rejected;            // identities that were refused or rolled back, and must not come in again
  std::map<std::string, std::string> known;  // identity of every version folder that was ever loaded, by its number

  friend bool operator==(const SavedModel&, const SavedModel&) = default;
};

using SavedModels = std::map<std::string, SavedModel>;  // by name

std::string FormatSavedModels(const SavedModels& models);
// INVALID_ARGUMENT says what is wrong; `what` starts the message.
absl::StatusOr<SavedModels> ParseSavedModels(absl::string_view text, absl::string_view what);

// Thread-compatible; blocks. What writes fails with what StateFolder::Open() says when there is nowhere to write.
class ModelStore {
 public:
  explicit ModelStore(StateFolder* folder);  // not owned

  // Nothing when there is no file.
  absl::StatusOr<SavedModels> Load() const;
  absl::Status Save(const SavedModels& models);

  absl::Status KeepFile(const std::string& name, const std::string& identity, const ModelFiles& files);
  absl::StatusOr<ModelFiles> ReadKept(const std::string& name, const std::string& identity) const;
  // Removes the copies of the model's files but these.
  void DropKeptBut(const std::string& name, const std::set<std::string>& identities);

  absl::StatusOr<int64_t> AddTrained(const std::string& name, int64_t above, const ModelFiles& files);
  const VersionFolders& trained() const { return trained_; }
  // Removes the versions of the model that were trained but the newest ones and `needed`.
  void DropTrainedBut(const std::string& name, const std::set<int64_t>& needed);
  // Removes what a crash left half written.
  void DropLeftovers();

 private:
  std::string KeptFolder(const std::string& name, const std::string& identity) const;

  StateFolder* const folder_;
  const VersionFolders trained_;
};

}  // namespace digit
