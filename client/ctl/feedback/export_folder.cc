#include "client/ctl/feedback/export_folder.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/status.h"
#include "client/ctl/output.h"
#include "model/dataset/idx.h"

namespace digit {
namespace {

constexpr char kImages[] = "train-images-idx3-ubyte", kLabels[] = "train-labels-idx1-ubyte", kTable[] = "feedback.csv";
constexpr std::array<const char*, 3> kFiles = {kImages, kLabels, kTable};

std::string FormatTable(const std::vector<ExportedCorrection>& corrections) {
  std::string table = "id,state,class,label,answered,model,version,source,time\n";
  for (const ExportedCorrection& c : corrections) {
    const std::vector<std::string> fields = {c.label, c.answered, c.model, c.version, c.source, c.time};
    absl::StrAppend(&table, c.id, ",", c.state, ",", int{c.label_index}, ",",
                    absl::StrJoin(fields, ",", [](std::string* out, const std::string& f) { *out += CsvField(f); }),
                    "\n");
  }
  return table;
}

absl::Status WriteFiles(const std::string& folder, const std::vector<ExportedCorrection>& corrections) {
  LabeledImages images;
  for (const ExportedCorrection& correction : corrections) {
    images.pixels.insert(images.pixels.end(), correction.pixels.begin(), correction.pixels.end());
    images.labels.push_back(correction.label_index);
  }
  RETURN_IF_ERROR(WriteFileAtomically(absl::StrCat(folder, "/", kImages), FormatIdxImages(images)));
  RETURN_IF_ERROR(WriteFileAtomically(absl::StrCat(folder, "/", kLabels), FormatIdxLabels(images)));
  return WriteFileAtomically(absl::StrCat(folder, "/", kTable), FormatTable(corrections));
}

// A folder that an export has made, and nothing else.
void RemoveExport(const std::string& folder) {
  for (const char* name : kFiles) ::unlink(absl::StrCat(folder, "/", name).c_str());
  ::rmdir(folder.c_str());
}

// `from` takes the place of `to`; with `exchange` that is there, and comes to `from`.
absl::Status Rename(const std::string& from, const std::string& to, bool exchange) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), exchange ? RENAME_EXCHANGE : RENAME_NOREPLACE) == 0) {
    return absl::OkStatus();
  }
  // Some file systems know no flags; without them a folder that is not empty is never replaced either.
  if (!exchange && errno == EINVAL && ::rename(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
  return ErrnoStatus(errno, "rename to", to);
}

}  // namespace

absl::Status CheckExportFolder(const std::string& folder, bool replace) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::symlink_status(folder, error);
  if (status.type() == std::filesystem::file_type::not_found) return absl::OkStatus();
  if (!std::filesystem::exists(status)) return ErrnoStatus(error.value(), "look at", folder);
  if (!std::filesystem::is_directory(status)) {
    return absl::FailedPreconditionError(absl::StrCat("'", folder, "' is there and no folder"));
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (std::find(kFiles.begin(), kFiles.end(), name) != kFiles.end()) continue;
    return absl::FailedPreconditionError(absl::StrCat("'", folder, "' holds '", name, "', which no export has made"));
  }
  if (error) return ErrnoStatus(error.value(), "read folder", folder);
  if (replace) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat("'", folder, "' is there; --force replaces an earlier export"));
}

absl::Status WriteExport(const std::string& given, bool replace, const std::vector<ExportedCorrection>& corrections) {
  std::string folder = given;
  while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
  RETURN_IF_ERROR(CheckExportFolder(folder, replace));
  std::string temporary = folder + ".tmp.XXXXXX";
  if (::mkdtemp(temporary.data()) == nullptr) return ErrnoStatus(errno, "create folder", temporary);
  const absl::Cleanup remove = [&temporary] { RemoveExport(temporary); };  // nothing there, or the one before
  RETURN_IF_ERROR(WriteFiles(temporary, corrections));
  RETURN_IF_ERROR(Rename(temporary, folder, std::filesystem::exists(folder)));
  const std::filesystem::path above = std::filesystem::path(folder).parent_path();
  return SyncFolder(above.empty() ? "." : above.string());
}

}  // namespace digit
