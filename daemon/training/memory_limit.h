// How much memory a child process may take without harm to this one.
#pragma once

#include <cstdint>
#include <string>

namespace digit {

// Bytes: three quarters of what the machine and the cgroups that this process is in (v1 or v2) have left, at least
// 64 MiB. `root`: "" for the real /proc and /sys.
int64_t MemoryForChild(const std::string& root = "");

}  // namespace digit
