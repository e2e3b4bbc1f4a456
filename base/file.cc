#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace digit {
namespace {

absl::StatusCode CodeOfErrno(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return absl::StatusCode::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::StatusCode::kPermissionDenied;
    case EISDIR:
    case ELOOP:
    case ENXIO:
      return absl::StatusCode::kFailedPrecondition;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
      return absl::StatusCode::kResourceExhausted;
    default:
      return absl::StatusCode::kUnknown;
  }
}

absl::Status WriteAll(int fd, absl::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus(errno, "write", path);
    content.remove_prefix(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, std::max<size_t>(slash, 1));
}

}  // namespace

absl::Status SyncFolder(const std::string& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, "open folder", folder);
  const int rc = ::fsync(fd);
  const int error = errno;
  ::close(fd);
  return rc == 0 ? absl::OkStatus() : ErrnoStatus(error, "fsync folder", folder);
}

absl::Status MakeFolders(const std::string& folder, int mode) {
  const std::string above = std::filesystem::path(folder).parent_path().string();
  if (!above.empty() && folder.back() == '/' && above != folder) return MakeFolders(above, mode);  // that is itself
  bool made = ::mkdir(folder.c_str(), static_cast<mode_t>(mode)) == 0;
  if (!made && errno == ENOENT && !above.empty()) {
    RETURN_IF_ERROR(MakeFolders(above));
    made = ::mkdir(folder.c_str(), static_cast<mode_t>(mode)) == 0;
  }
  if (made) return SyncFolder(above.empty() ? "." : above);
  return errno == EEXIST ? absl::OkStatus() : ErrnoStatus(errno, "create folder", folder);
}

absl::Status ErrnoStatus(int error, absl::string_view what, absl::string_view path) {
  return absl::Status(CodeOfErrno(error), absl::StrCat("cannot ", what, " '", path, "': ", std::strerror(error)));
}

absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t max_bytes) {
  // O_NONBLOCK: opening a FIFO must not hang.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return ErrnoStatus(errno, "open", path);
  return ReadAndClose(fd, path, max_bytes);
}

absl::StatusOr<std::string> ReadAndClose(int fd, const std::string& path, int64_t max_bytes) {
  const absl::Cleanup closer = [fd] { ::close(fd); };
  struct stat info;
  if (::fstat(fd, &info) != 0) return ErrnoStatus(errno, "stat", path);
  if (!S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat("cannot read '", path, "': not a regular file"));
  }
  const absl::Status too_large =
      absl::ResourceExhaustedError(absl::StrCat("'", path, "' is larger than the limit of ", max_bytes, " bytes"));
  if (info.st_size > max_bytes) return too_large;
  std::string content;
  content.resize(static_cast<size_t>(info.st_size));
  size_t size = 0;
  while (true) {
    if (size == content.size()) content.resize(size + 4096);  // the file may have grown since fstat
    const ssize_t n = ::read(fd, content.data() + size, content.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus(errno, "read", path);
    if (n == 0) break;
    size += static_cast<size_t>(n);
    if (static_cast<int64_t>(size) > max_bytes) return too_large;
  }
  content.resize(size);
  return content;
}

absl::Status CheckReplaceable(const std::string& path) {
  struct stat status;
  if (::lstat(path.c_str(), &status) != 0) return absl::OkStatus();  // what is wrong beyond that, creating will say
  const bool is_link = S_ISLNK(status.st_mode);
  if (is_link && ::stat(path.c_str(), &status) != 0) {
    return absl::FailedPreconditionError(absl::StrCat("cannot write '", path, "': a symbolic link to nothing"));
  }
  if (S_ISREG(status.st_mode)) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("cannot write '", path, "': it is there and no regular file"));
}

absl::Status WriteFileAtomically(const std::string& given_path, absl::string_view content) {
  RETURN_IF_ERROR(CheckReplaceable(given_path));
  std::error_code error;
  const std::filesystem::path target = std::filesystem::canonical(given_path, error);  // through links
  const std::string path = error ? given_path : target.string();
  std::string temporary = absl::StrCat(path, ".tmp.XXXXXX");
  const int fd = ::mkostemp(temporary.data(), O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, "create", temporary);
  absl::Cleanup remove_temporary = [&temporary] { ::unlink(temporary.c_str()); };
  absl::Status status = WriteAll(fd, content, temporary);
  if (status.ok() && ::fchmod(fd, 0644) != 0) status = ErrnoStatus(errno, "chmod", temporary);
  if (status.ok() && ::fsync(fd) != 0) status = ErrnoStatus(errno, "fsync", temporary);
  if (::close(fd) != 0 && status.ok()) status = ErrnoStatus(errno, "close", temporary);
  RETURN_IF_ERROR(status);
  if (::rename(temporary.c_str(), path.c_str()) != 0) return ErrnoStatus(errno, "rename to", path);
  std::move(remove_temporary).Cancel();
  return SyncFolder(FolderOf(path));
}

}  // namespace digit
