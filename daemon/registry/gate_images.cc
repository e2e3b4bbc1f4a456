#include "daemon/registry/gate_images.h"

#include <sys/stat.h>

#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace digit {
namespace {

std::string StampOf(const std::string& folder) {
  std::set<std::string> files;  // sorted
  std::error_code ignored;
  for (const auto& file : std::filesystem::directory_iterator(folder, ignored)) files.insert(file.path());
  std::string stamp;
  for (const std::string& file : files) {
    struct stat now {};
    if (::stat(file.c_str(), &now) != 0) continue;
    absl::StrAppend(&stamp, file, " ", now.st_ino, " ", now.st_size, " ", now.st_mtim.tv_sec, ".", now.st_mtim.tv_nsec,
                    "\n");
  }
  return stamp;
}

}  // namespace

std::string GateImages::FolderOf(const std::string& name) const {
  const auto own = folders_.by_name.find(name);
  if (own != folders_.by_name.end()) return own->second;
  const std::string beneath = absl::StrCat(folders_.data_dir, "/", name);
  std::error_code ignored;
  if (!folders_.data_dir.empty() && std::filesystem::exists(beneath, ignored)) return beneath;
  return folders_.for_all;
}

absl::StatusOr<std::shared_ptr<const LabeledImages>> GateImages::Of(const std::string& name) {
  const std::string folder = FolderOf(name);
  if (folder.empty()) return nullptr;
  const std::string stamp = StampOf(folder);  // before the files: what changes meanwhile is read again next time
  MutexLock lock(&mu_);
  Kept& kept = kept_[folder];
  if (kept.images != nullptr && kept.stamp == stamp) return kept.images;
  ASSIGN_OR_RETURN(const LabeledImages all, ReadIdxFolder(folder, Split::kTrain));
  kept = {.stamp = stamp, .images = std::make_shared<LabeledImages>(SplitOffValidation(all).validation)};
  return kept.images;
}

}  // namespace digit
