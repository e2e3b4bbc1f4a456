// Says when files have changed: written, replaced, reached by another symbolic link on their way, or come anew.
//
// inotify on the files' folders only wakes it up; what counts is which file a path leads to and its size and time, so
// that a lost, overflown or never sent event (NFS, FUSE) costs no more than the time until the next poll. A file that
// is still being written is not reported: it must look the same twice, `settle` apart. A file that is gone is not a
// change; one that comes back different is. Threads: one, "file-watcher", joined by the destructor.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace digit {

class FileWatcher {
 public:
  struct Watched {
    std::vector<std::string> files;
    std::vector<std::string> folders;  // in which more may appear; those of `files` are watched anyway
  };
  struct Options {
    std::function<Watched()> list;            // what there is to watch now; on the watcher's thread and in Create()
    absl::Duration poll = absl::Seconds(30);  // the longest until a change without an event is seen
    absl::Duration settle = absl::Milliseconds(200);         // guess: longer than a writer pauses
    std::function<void(const std::string& path)> on_change;  // on the watcher's thread
  };
  // What the files are now is where it starts from. RESOURCE_EXHAUSTED: no inotify instance or descriptor is left.
  static absl::StatusOr<std::unique_ptr<FileWatcher>> Create(Options options);
  ~FileWatcher();

 private:
  // Which file it is, and in what state. Empty: there is none.
  using Fingerprint = std::string;
  struct File {
    Fingerprint reported, last_seen;
  };

  FileWatcher(Options options, int inotify, int stop);
  void Run();
  Watched WatchFolders();  // again and again: a folder may have been replaced
  bool Look(const std::vector<std::string>&
                paths);  // whether something has changed and must be looked at again after `settle`
  void DropEvents();

  const Options options_;
  const int inotify_;
  const int stop_;                     // an eventfd
  std::map<std::string, File> files_;  // by path; of the thread
  std::thread thread_;
};

}  // namespace digit
