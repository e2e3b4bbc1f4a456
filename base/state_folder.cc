#include "base/state_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"

namespace digit {
namespace {

absl::Status Cannot(const absl::Status& why) {
  return absl::FailedPreconditionError(
      absl::StrCat("the state folder cannot be used: ", why.message(), "; choose another with --state-dir DIR"));
}

}  // namespace

StateFolder::~StateFolder() {
  if (lock_ >= 0) ::close(lock_);
}

absl::Status StateFolder::Open() {
  if (path_.empty()) {
    return absl::FailedPreconditionError("there is no state folder, as HOME is not set; name one with --state-dir DIR");
  }
  MutexLock lock(&mu_);
  if (lock_ >= 0) return absl::OkStatus();
  const absl::Status made = MakeFolders(path_, 0700);
  if (!made.ok()) return Cannot(made);
  const std::string file = path_ + "/lock";
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return Cannot(ErrnoStatus(errno, "open", file));
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const absl::Status why = errno == EWOULDBLOCK
                                 ? absl::FailedPreconditionError(absl::StrCat("another digitd uses '", path_, "'"))
                                 : ErrnoStatus(errno, "lock", file);
    ::close(fd);
    return Cannot(why);
  }
  lock_ = fd;
  return absl::OkStatus();
}

std::string DefaultStateFolder(const char* (*get_env)(const char*)) {
  const char* const state_home = get_env("XDG_STATE_HOME");
  if (state_home != nullptr && *state_home == '/') return absl::StrCat(state_home, "/digitd");
  const char* const home = get_env("HOME");
  if (home != nullptr && *home == '/') return absl::StrCat(home, "/.local/state/digitd");
  return "";
}

}  // namespace digit
