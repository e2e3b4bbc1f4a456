// Named threads, and how many cores this process may really use.
#pragma once

#include <functional>
#include <string>
#include <thread>

namespace digit {

// Starts a thread that shows as `name` in top and gdb (15 characters at most, the kernel's limit; longer is cut).
// The caller joins it.
std::thread StartThread(const std::string& name, std::function<void()> body);

// Makes this thread, and those that it or they start from now on, give way to the process's other threads when
// processors are short: "nice" by `steps` more, 0..19. Linux has that per thread. Not undone without privileges.
void GiveWayToOtherThreads(int steps);

// The calling thread is interrupted after 0.1 ms when others want to run, whatever its priority; Linux 6.12 and later,
// where else a thread that has begun a turn may finish it.
void TakeShortTurns();

// Cores this process may keep busy: the CPU affinity mask, bounded by the cgroup CPU quota (v1 and v2, the tightest of
// the process's cgroup and its parents), rounded down, at least 1. `cgroup_root` is where the cgroup file systems are
// mounted, `proc_self_cgroup` the file that names this process's cgroups; both are arguments for tests.
int UsableCores(const std::string& cgroup_root = "/sys/fs/cgroup",
                const std::string& proc_self_cgroup = "/proc/self/cgroup");

}  // namespace digit
