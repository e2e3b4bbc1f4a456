#include "model/dataset/fetch_folder.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/status.h"

namespace digit {
namespace {

constexpr absl::string_view kScratch = ".fetch.";
constexpr size_t kUrlDigits = 8;

std::string PartPrefix(const DataFile& file) { return absl::StrCat(".", file.name, ".gz."); }

// Removes what is directly in `folder` and has a name that `is_left_over` knows. What cannot be removed stays.
void RemoveFrom(const std::string& folder, const std::function<bool(const std::string&)>& is_left_over) {
  std::error_code ignored;
  std::vector<std::filesystem::path> found;
  for (std::filesystem::directory_iterator it(folder, ignored), end; !ignored && it != end; it.increment(ignored)) {
    if (is_left_over(it->path().filename().string())) found.push_back(it->path());
  }
  for (const std::filesystem::path& path : found) std::filesystem::remove_all(path, ignored);
}

// Takes the lock of `fd`. False: there are no locks here.
absl::StatusOr<bool> Lock(int fd, const std::string& path, const FetchOptions& options) {
  constexpr int kLookAgainMs = 100;
  bool said = false;
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return false;
    if (options.stop != nullptr && options.stop->load()) return absl::CancelledError("stopped");
    if (!said) options.on_progress(absl::StrCat("waiting for another fetch into ", path));
    said = true;
    ::poll(nullptr, 0, kLookAgainMs);
  }
  return true;
}

}  // namespace

absl::StatusOr<FetchFolder> FetchFolder::Open(const std::string& path, const FetchOptions& options) {
  RETURN_IF_ERROR(MakeFolders(path));
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, "open the folder", path);
  const absl::StatusOr<bool> locked = Lock(fd, path, options);
  if (!locked.ok() || !*locked) ::close(fd);
  if (!locked.ok()) return locked.status();
  if (!*locked) return FetchFolder(path, -1);
  RemoveFrom(path, [](const std::string& name) {
    return absl::StartsWith(name, kScratch) && name.size() == kScratch.size() + 6;
  });
  return FetchFolder(path, fd);
}

FetchFolder::FetchFolder(FetchFolder&& other) noexcept : path_(other.path_), fd_(std::exchange(other.fd_, -1)) {}

FetchFolder::~FetchFolder() {
  if (fd_ >= 0) ::close(fd_);
}

absl::StatusOr<std::string> FetchFolder::MakeScratch() const {
  std::string scratch = absl::StrCat(path_, "/", kScratch, "XXXXXX");
  if (::mkdtemp(scratch.data()) == nullptr) return ErrnoStatus(errno, "make the folder", scratch);
  std::error_code error;
  scratch = std::filesystem::absolute(scratch, error).string();
  if (error) return ErrnoStatus(error.value(), "find the folder", scratch);
  return scratch;
}

std::string FetchFolder::PartOf(const DataFile& file, absl::string_view url) const {
  return absl::StrCat(path_, "/", PartPrefix(file), Sha256Hex(url).substr(0, kUrlDigits), ".part");
}

void FetchFolder::RemoveParts(const std::vector<DataFile>& files) const {
  if (fd_ < 0) return;
  RemoveFrom(path_, [&files](const std::string& name) {
    return absl::EndsWith(name, ".part") && std::any_of(files.begin(), files.end(), [&name](const DataFile& file) {
             const std::string prefix = PartPrefix(file);
             return absl::StartsWith(name, prefix) && name.size() == prefix.size() + kUrlDigits + 5;
           });
  });
}

}  // namespace digit
