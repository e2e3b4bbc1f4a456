#include "base/beneath.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"

namespace digit {
namespace {

absl::StatusOr<int> OpenBeneath(const std::string& root, const std::string& name, uint64_t flags) {
  const int folder = ::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return ErrnoStatus(errno, "open folder", root);
  const absl::Cleanup closer = [folder] { ::close(folder); };
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const std::string path = absl::StrCat(root, "/", name);
  constexpr int kAttempts = 100;  // EAGAIN: something on the way was renamed meanwhile
  for (int i = 0; i < kAttempts; ++i) {
    const int64_t fd = ::syscall(SYS_openat2, folder, name.c_str(), &how, sizeof(how));
    if (fd >= 0) return static_cast<int>(fd);
    if (errno != EAGAIN && errno != EINTR) break;
  }
  if (errno == EXDEV || (errno == ENOENT && name.empty())) {
    return absl::InvalidArgumentError(absl::StrCat("'", name, "' leads out of '", root, "', which is not allowed"));
  }
  if (errno == ENOSYS || errno == EPERM) {
    return absl::UnimplementedError(absl::StrCat("cannot open '", path, "': it needs openat2, of Linux 5.6"));
  }
  return ErrnoStatus(errno, "open", path);
}

}  // namespace

absl::StatusOr<std::string> ReadFileBeneath(const std::string& root, const std::string& name, int64_t max_bytes) {
  ASSIGN_OR_RETURN(const int fd, OpenBeneath(root, name, O_RDONLY | O_NONBLOCK));
  return ReadAndClose(fd, absl::StrCat(root, "/", name), max_bytes);
}

absl::StatusOr<std::vector<std::string>> ListFolderBeneath(const std::string& root, const std::string& name) {
  ASSIGN_OR_RETURN(const int fd, OpenBeneath(root, name.empty() ? "." : name, O_RDONLY | O_DIRECTORY));
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::fdopendir(fd), &::closedir);
  std::vector<std::string> entries;
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string found = entry->d_name;
    if (found != "." && found != "..") entries.push_back(found);
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

}  // namespace digit
