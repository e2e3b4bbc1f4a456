// Versions of models as folders: ROOT/NAME/N/model.pt, with N a number from 1, and model.json beside it if need be.
//
// What is here by name is opened beneath the root: a link that leads out of it fails. Thread-safe; blocks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/engine/model.h"

namespace digit {

class VersionFolders {
 public:
  explicit VersionFolders(std::string root) : root_(std::move(root)) {}

  const std::string& root() const { return root_; }

  // Folders that are named as a model may be (CheckModelName) and hold a version. Empty when there is no root.
  std::vector<std::string> Names() const;
  // Ascending; those that have a model.pt.
  std::vector<int64_t> Versions(const std::string& name) const;

  // Every path that is a version or may become one, and the folders in which more may appear.
  struct Places {
    std::vector<std::string> files, folders;
  };
  Places List() const;

  // NOT_FOUND: there is none. INVALID_ARGUMENT: it leads out of the root.
  absl::StatusOr<ModelFiles> Read(const std::string& name, int64_t version) const;

  // The name in ".../NAME/N/model.pt".
  static std::string NameOf(const std::string& path);

  // "ROOT/NAME/N/model.pt".
  std::string PathOf(const std::string& name, int64_t version) const;

  // Stores a version under the first number that is free, above `above` and above every number that is there, which it
  // returns. All of it is there after a crash, or nothing; somebody else who stores meanwhile gets another number.
  absl::StatusOr<int64_t> Add(const std::string& name, int64_t above, const ModelFiles& files) const;

 private:
  const std::string root_;
};

// How the names of folders begin that are not finished yet; a crash may leave one.
inline constexpr char kUnfinished[] = ".new.";

// OK when `name` matches [a-z0-9][a-z0-9._-]{0,63}, else INVALID_ARGUMENT saying so.
absl::Status CheckModelName(absl::string_view name);

// The number that a folder's name says; 0: it is no version.
int64_t VersionNumber(absl::string_view folder);

// Writes files.bytes to FOLDER/model.pt and the spec to FOLDER/model.json, all or nothing: FOLDER appears whole.
// ALREADY_EXISTS when it is there.
absl::Status WriteModelFolder(const std::string& folder, const ModelFiles& files);

}  // namespace digit
