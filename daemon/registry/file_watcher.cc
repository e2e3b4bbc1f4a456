#include "daemon/registry/file_watcher.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/threads.h"

namespace digit {
namespace {

std::string FingerprintOf(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return "";
  return absl::StrCat(info.st_dev, ":", info.st_ino, ":", info.st_size, ":", info.st_mtim.tv_sec, ".",
                      info.st_mtim.tv_nsec, ":", info.st_ctim.tv_sec, ".", info.st_ctim.tv_nsec);
}

}  // namespace

absl::StatusOr<std::unique_ptr<FileWatcher>> FileWatcher::Create(Options options) {
  const int inotify = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (inotify < 0) return absl::ResourceExhaustedError(ErrnoStatus(errno, "cannot watch", "inotify").message());
  const int stop = ::eventfd(0, EFD_CLOEXEC);
  if (stop < 0) {
    const absl::Status status = ErrnoStatus(errno, "cannot watch", "eventfd");
    ::close(inotify);
    return absl::ResourceExhaustedError(status.message());
  }
  return std::unique_ptr<FileWatcher>(new FileWatcher(std::move(options), inotify, stop));
}

FileWatcher::FileWatcher(Options options, int inotify, int stop)
    : options_(std::move(options)), inotify_(inotify), stop_(stop) {
  const Watched watched = WatchFolders();  // first, so that nothing between it and the fingerprints is missed
  for (const std::string& path : watched.files) {
    const Fingerprint now = FingerprintOf(path);
    files_[path] = {.reported = now, .last_seen = now};
  }
  thread_ = StartThread("file-watcher", [this] { Run(); });
}

FileWatcher::~FileWatcher() {
  ::eventfd_write(stop_, 1);
  thread_.join();
  ::close(inotify_);
  ::close(stop_);
}

FileWatcher::Watched FileWatcher::WatchFolders() {
  Watched watched = options_.list();
  while (true) {
    std::set<std::string> folders(watched.folders.begin(), watched.folders.end());
    for (const std::string& path : watched.files) {
      const std::filesystem::path folder = std::filesystem::path(path).parent_path();
      folders.insert(folder.empty() ? "." : folder.string());
    }
    // Adding a folder that is watched already changes nothing; one that is not there is left to the polls.
    constexpr uint32_t kEvents = IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB;
    for (const std::string& folder : folders) ::inotify_add_watch(inotify_, folder.c_str(), kEvents);
    // What has come into a folder since it was listed and before it was watched made no event.
    Watched again = options_.list();
    if (again.files == watched.files && again.folders == watched.folders) return watched;
    watched = std::move(again);
  }
}

void FileWatcher::DropEvents() {
  alignas(inotify_event) std::array<char, 16 << 10> events;
  while (::read(inotify_, events.data(), events.size()) > 0) {
  }
}

bool FileWatcher::Look(const std::vector<std::string>& paths) {
  bool unsettled = false;
  for (const std::string& path : paths) {
    File& file = files_[path];
    const Fingerprint now = FingerprintOf(path);
    const bool settled = now == file.last_seen;
    file.last_seen = now;
    if (now == file.reported || now.empty()) continue;
    if (settled) {
      file.reported = now;
      options_.on_change(path);
    } else {
      unsettled = true;
    }
  }
  return unsettled;
}

void FileWatcher::Run() {
  bool unsettled = false;
  while (true) {
    std::array<pollfd, 2> waiting = {{{.fd = stop_, .events = POLLIN}, {.fd = inotify_, .events = POLLIN}}};
    const absl::Duration timeout = unsettled ? options_.settle : options_.poll;
    // While something is being written only the time counts: its events would come all the time.
    const int ready = ::poll(waiting.data(), unsettled ? 1 : 2, static_cast<int>(absl::ToInt64Milliseconds(timeout)));
    if (waiting[0].revents != 0) return;
    if (ready < 0 && errno != EINTR) return;
    DropEvents();
    unsettled = Look(WatchFolders().files);
  }
}

}  // namespace digit
