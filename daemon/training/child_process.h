// A program that works for this one, in a process group of its own, and gives way to it in everything.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace digit {

// Not thread-safe. The child dies with the thread that started it.
class ChildProcess {
 public:
  struct Options {
    std::vector<std::string> argv;  // argv[0] is the program's path
    std::string log;                // file to which its standard output and error are appended
    int64_t max_data_bytes = 0;     // RLIMIT_DATA
  };
  // The child has the lowest priority of all (SCHED_IDLE), is the first that the kernel kills for memory, inherits
  // nothing but descriptor 3, which is the other end of events(), and its signals are as for a new program.
  // NOT_FOUND, PERMISSION_DENIED, ...: the program cannot be started; names it.
  static absl::StatusOr<ChildProcess> Start(const Options& options);

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess();  // kills it if it still runs

  // What it writes to descriptor 3; does not block.
  int events() const { return events_; }
  // Readable when it has ended.
  int pidfd() const { return pidfd_; }
  pid_t pid() const { return pid_; }

  // Its process group.
  void Signal(int signal) const;

  struct Exit {
    int code = -1;   // of exit()
    int signal = 0;  // that ended it; 0: none did
  };
  // nullopt while it runs.
  std::optional<Exit> TryWait();

 private:
  ChildProcess() = default;

  pid_t pid_ = -1;  // -1: waited for
  pid_t group_ = -1;
  int pidfd_ = -1;
  int events_ = -1;
};

}  // namespace digit
