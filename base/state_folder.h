// The folder in which a daemon keeps what must survive it.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "base/mutex.h"

namespace digit {

// Made at the first write, then locked: two daemons must not share one. Thread-safe.
class StateFolder {
 public:
  explicit StateFolder(std::string path) : path_(std::move(path)) {}
  ~StateFolder();
  StateFolder(const StateFolder&) = delete;
  StateFolder& operator=(const StateFolder&) = delete;

  // Makes the folder (for its owner only, with those above it) and takes its lock, once. FAILED_PRECONDITION: that
  // cannot be done, or another process has the lock; tried anew with the next call.
  absl::Status Open() ABSL_LOCKS_EXCLUDED(mu_);

  // May be empty: there is none, and Open() says so.
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
  Mutex mu_;
  int lock_ ABSL_GUARDED_BY(mu_) = -1;
};

// $XDG_STATE_HOME/digitd, else $HOME/.local/state/digitd; empty when neither is an absolute path. `get_env` is getenv.
std::string DefaultStateFolder(const char* (*get_env)(const char*));

}  // namespace digit
