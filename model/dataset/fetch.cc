#include "model/dataset/fetch.h"

#include <filesystem>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/status.h"
#include "model/dataset/fetch_folder.h"
#include "model/dataset/fetch_source.h"

namespace digit {
namespace {

// Whether `folder` holds the right file, plain or .gz. What has the name but other content is moved out of the way,
// because ReadIdxFolder() would read it.
absl::StatusOr<bool> IsThere(const DataFile& file, const std::string& folder, const FetchOptions& options) {
  for (const char* extension : {"", ".gz"}) {
    const std::string path = absl::StrCat(folder, "/", file.name, extension);
    const absl::Status status = ReadChecked(file, path).status();
    if (status.ok()) return true;
    if (absl::IsNotFound(status)) continue;
    if (!absl::IsInvalidArgument(status) && !absl::IsResourceExhausted(status)) return status;  // not ours to judge
    options.on_progress(absl::StrCat(status.message(), "; renamed to ", file.name, extension, ".replaced"));
    std::error_code error;
    std::filesystem::rename(path, path + ".replaced", error);
    if (error) return ErrnoStatus(error.value(), "rename", path);
  }
  return false;
}

std::string ByHand(const DataSet& set, const std::vector<DataFile>& missing, const std::string& folder) {
  std::string text = absl::StrCat("Without a network, put these files into '", folder,
                                  "', as they are or as .gz, and run this again:\n");
  for (const DataFile& file : missing) {
    absl::StrAppend(&text, "  ", file.name, "  (", file.size_bytes, " bytes, SHA-256 ", file.sha256, ")\n");
  }
  absl::StrAppend(&text, "They can be had from:");
  for (const DataSource& source : set.sources) absl::StrAppend(&text, "\n  ", DescribeSource(source));
  return text;
}

}  // namespace

absl::Status FetchDataSet(const DataSet& set, const std::string& folder, const FetchOptions& options) {
  ASSIGN_OR_RETURN(const FetchFolder opened, FetchFolder::Open(folder, options));
  std::vector<DataFile> missing;
  for (const DataFile& file : set.files) {
    ASSIGN_OR_RETURN(const bool there, IsThere(file, folder, options));
    if (!there) missing.push_back(file);
  }
  std::vector<std::string> failures;
  for (const DataSource& source : set.sources) {
    if (missing.empty()) break;
    const std::string description = DescribeSource(source);
    options.on_progress(absl::StrCat(set.name, ": trying ", description));
    const absl::Status status = FetchFromSource(source, opened, options, missing);
    if (status.ok()) break;
    if (absl::IsCancelled(status)) {
      return absl::CancelledError(absl::StrCat("stopped: ", missing.size(), " of ", set.files.size(), " files of ",
                                               set.name, " are not in '", folder, "' yet; run this again to go on"));
    }
    failures.push_back(absl::StrCat("  ", description, ": ", status.message()));
    options.on_progress(absl::StrCat(set.name, ": ", status.message()));
  }
  if (missing.empty()) {
    opened.RemoveParts(set.files);
    options.on_progress(absl::StrCat(set.name, ": ", set.files.size(), " files are in ", folder, ", digests checked"));
    return absl::OkStatus();
  }
  return absl::UnavailableError(absl::StrCat("no source of ", set.name, " worked:\n", absl::StrJoin(failures, "\n"),
                                             "\n", ByHand(set, missing, folder)));
}

absl::Status FetchDataSet(absl::string_view name, const std::string& folder, const FetchOptions& options) {
  ASSIGN_OR_RETURN(const DataSet set, FindDataSet(name));
  return FetchDataSet(set, folder, options);
}

}  // namespace digit
