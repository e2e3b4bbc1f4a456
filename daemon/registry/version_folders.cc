#include "daemon/registry/version_folders.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/beneath.h"
#include "base/file.h"
#include "base/status.h"

namespace digit {
namespace {

constexpr char kModelFile[] = "model.pt", kSpecFile[] = "model.json";

bool IsNameCharacter(char c) {
  return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '.' || c == '_' || c == '-';
}

}  // namespace

std::vector<std::string> VersionFolders::Names() const {
  std::vector<std::string> names;
  const absl::StatusOr<std::vector<std::string>> entries = ListFolderBeneath(root_, "");
  if (!entries.ok()) return names;
  for (const std::string& entry : *entries) {
    if (CheckModelName(entry).ok() && !Versions(entry).empty()) names.push_back(entry);
  }
  return names;
}

std::vector<int64_t> VersionFolders::Versions(const std::string& name) const {
  std::vector<int64_t> versions;
  const absl::StatusOr<std::vector<std::string>> entries = ListFolderBeneath(root_, name);
  if (!entries.ok()) return versions;
  for (const std::string& entry : *entries) {
    const int64_t version = VersionNumber(entry);
    std::error_code error;  // a folder that cannot be looked into yet is being published still
    if (version > 0 && std::filesystem::exists(PathOf(name, version), error)) versions.push_back(version);
  }
  std::sort(versions.begin(), versions.end());
  return versions;
}

VersionFolders::Places VersionFolders::List() const {
  Places places;
  if (root_.empty()) return places;
  places.folders.push_back(root_);
  const absl::StatusOr<std::vector<std::string>> names = ListFolderBeneath(root_, "");
  if (!names.ok()) return places;
  for (const std::string& name : *names) {
    if (!CheckModelName(name).ok()) continue;
    const absl::StatusOr<std::vector<std::string>> entries = ListFolderBeneath(root_, name);
    if (!entries.ok()) continue;
    places.folders.push_back(absl::StrCat(root_, "/", name));
    for (const std::string& entry : *entries) {
      const int64_t version = VersionNumber(entry);
      if (version > 0) places.files.push_back(PathOf(name, version));
    }
  }
  return places;
}

std::string VersionFolders::NameOf(const std::string& path) {
  return std::filesystem::path(path).parent_path().parent_path().filename().string();
}

absl::StatusOr<ModelFiles> VersionFolders::Read(const std::string& name, int64_t version) const {
  RETURN_IF_ERROR(CheckModelName(name));
  const std::string folder = absl::StrCat(name, "/", version, "/");
  ModelFiles files{.path = PathOf(name, version)};
  ASSIGN_OR_RETURN(files.bytes, ReadFileBeneath(root_, folder + kModelFile, kMaxModelFileBytes));
  absl::StatusOr<std::string> spec = ReadFileBeneath(root_, folder + kSpecFile, kMaxSpecBytes);
  if (absl::IsNotFound(spec.status())) return files;
  RETURN_IF_ERROR(spec.status());
  files.spec_path = absl::StrCat(root_, "/", folder, kSpecFile);
  files.spec_json = *std::move(spec);
  return files;
}

std::string VersionFolders::PathOf(const std::string& name, int64_t version) const {
  return absl::StrCat(root_, "/", name, "/", version, "/", kModelFile);
}

absl::StatusOr<int64_t> VersionFolders::Add(const std::string& name, int64_t above, const ModelFiles& files) const {
  RETURN_IF_ERROR(CheckModelName(name));
  const std::vector<int64_t> versions = Versions(name);
  int64_t version = std::max(above, versions.empty() ? int64_t{0} : versions.back()) + 1;
  constexpr int kAttempts = 1000;
  absl::Status status;
  for (int i = 0; i < kAttempts; ++i, ++version) {
    status = WriteModelFolder(absl::StrCat(root_, "/", name, "/", version), files);
    if (status.ok()) return version;
    if (!absl::IsAlreadyExists(status)) break;
  }
  return status;
}

absl::Status CheckModelName(absl::string_view name) {
  const bool ok = !name.empty() && name.size() <= 64 &&
                  (absl::ascii_islower(name[0]) || absl::ascii_isdigit(name[0])) &&
                  std::all_of(name.begin(), name.end(), IsNameCharacter);
  if (ok) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("'", name, "' is not a model name; it must match ",
                                                 "[a-z0-9][a-z0-9._-]{0,63}; name it with --model NAME=FILE"));
}

int64_t VersionNumber(absl::string_view folder) {
  const bool digits = !folder.empty() && folder.size() <= 18 && folder[0] != '0' &&
                      std::all_of(folder.begin(), folder.end(), absl::ascii_isdigit);
  int64_t number = 0;
  return digits && absl::SimpleAtoi(folder, &number) ? number : 0;
}

absl::Status WriteModelFolder(const std::string& folder, const ModelFiles& files) {
  const std::filesystem::path parent = std::filesystem::path(folder).parent_path();
  RETURN_IF_ERROR(MakeFolders(parent.string()));
  std::string temporary = absl::StrCat((parent / kUnfinished).string(), "XXXXXX");  // nobody takes that for a version
  if (::mkdtemp(temporary.data()) == nullptr) return ErrnoStatus(errno, "create folder", temporary);
  const absl::Cleanup cleanup = [&temporary] {
    std::error_code ignored;
    std::filesystem::remove_all(temporary, ignored);
  };
  RETURN_IF_ERROR(WriteFileAtomically(absl::StrCat(temporary, "/", kModelFile), files.bytes));
  if (!files.spec_path.empty()) {
    RETURN_IF_ERROR(WriteFileAtomically(absl::StrCat(temporary, "/", kSpecFile), files.spec_json));
  }
  if (::chmod(temporary.c_str(), 0755) != 0) return ErrnoStatus(errno, "chmod", temporary);
  // Never onto one that is there: rename() would only spare those that are not empty.
  if (::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, folder.c_str(), RENAME_NOREPLACE) != 0) {
    if (errno == EEXIST || errno == ENOTEMPTY) {
      return absl::AlreadyExistsError(absl::StrCat("'", folder, "' is there already"));
    }
    return ErrnoStatus(errno, "rename to", folder);
  }
  return SyncFolder(parent.string());
}

}  // namespace digit
