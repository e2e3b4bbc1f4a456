// CPU time of this process and of a server on this machine.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "absl/time/time.h"

namespace digit {

struct ListeningProcess {
  pid_t pid = 0;
  std::string name;  // as the kernel knows it, at most 15 characters
};

// The process that has a listening TCP socket on `port`, found in `proc`. Nothing when there is none, when several
// processes have one, or when it belongs to a user whose descriptors we may not see. Reads every process's descriptors:
// milliseconds.
std::optional<ListeningProcess> FindListener(int port, const std::string& proc = "/proc");

// Whether `host` is the address of a network interface of this machine, "192.168.1.5" or "::1". Resolves no names.
bool IsInterfaceAddress(const std::string& host);

// User and system time of all threads since the start. Nothing when the process has gone.
std::optional<absl::Duration> CpuTimeOf(pid_t pid);
absl::Duration OwnCpuTime();

}  // namespace digit
