#include "base/threads.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"

namespace digit {
namespace {

constexpr double kNoQuota = std::numeric_limits<double>::infinity();
constexpr int64_t kMaxControlFileBytes = 1 << 16;

std::string ReadControlFile(const std::string& path) {
  absl::StatusOr<std::string> content = ReadFile(path, kMaxControlFileBytes);
  return content.ok() ? std::string(absl::StripAsciiWhitespace(*content)) : "";
}

// "max 100000" or "150000 100000": microseconds of CPU per period.
double QuotaV2(const std::string& folder) {
  const std::string content = ReadControlFile(folder + "/cpu.max");
  const std::vector<std::string> parts = absl::StrSplit(content, ' ');
  double quota = 0, period = 0;
  if (parts.size() != 2 || !absl::SimpleAtod(parts[0], &quota) || !absl::SimpleAtod(parts[1], &period)) return kNoQuota;
  return quota > 0 && period > 0 ? quota / period : kNoQuota;
}

double QuotaV1(const std::string& folder) {
  double quota = 0, period = 0;
  if (!absl::SimpleAtod(ReadControlFile(folder + "/cpu.cfs_quota_us"), &quota)) return kNoQuota;
  if (!absl::SimpleAtod(ReadControlFile(folder + "/cpu.cfs_period_us"), &period)) return kNoQuota;
  return quota > 0 && period > 0 ? quota / period : kNoQuota;  // -1: no quota
}

// The tightest quota of `root` + `cgroup` and every folder above it up to `root`.
template <typename Quota>
double TightestQuota(const std::string& root, absl::string_view cgroup, Quota quota_of) {
  double tightest = kNoQuota;
  std::string path(cgroup == "/" ? "" : cgroup);
  while (true) {
    tightest = std::min(tightest, quota_of(absl::StrCat(root, path)));
    const size_t slash = path.rfind('/');
    if (path.empty() || slash == std::string::npos) return tightest;
    path.resize(slash);
  }
}

double CgroupQuota(const std::string& root, const std::string& proc_self_cgroup) {
  double tightest = kNoQuota;
  for (absl::string_view line : absl::StrSplit(ReadControlFile(proc_self_cgroup), '\n')) {
    // "0::/path" (v2), "4:cpu,cpuacct:/path" (v1)
    const std::vector<absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) continue;
    if (parts[1].empty()) {
      tightest = std::min(tightest, TightestQuota(root, parts[2], QuotaV2));
      continue;
    }
    for (absl::string_view controller : absl::StrSplit(parts[1], ',')) {
      if (controller != "cpu") continue;
      for (absl::string_view mount : {absl::string_view("cpu"), parts[1]}) {
        tightest = std::min(tightest, TightestQuota(absl::StrCat(root, "/", mount), parts[2], QuotaV1));
      }
    }
  }
  return tightest;
}

int AffinityCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

}  // namespace

void GiveWayToOtherThreads(int steps) {
  const auto self = static_cast<id_t>(::gettid());
  ::setpriority(PRIO_PROCESS, self, ::getpriority(PRIO_PROCESS, self) + steps);
}

void TakeShortTurns() {
  struct {  // sched_attr of linux/sched/types.h, which does not go together with sched.h
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
  } attributes{};
  attributes.size = sizeof(attributes);
  const auto self = static_cast<id_t>(::gettid());
  attributes.nice = ::getpriority(PRIO_PROCESS, self);
  attributes.runtime = 100'000;  // ns, the least that Linux takes; others begin with 3 ms or so
  ::syscall(SYS_sched_setattr, 0, &attributes, 0);
}

std::thread StartThread(const std::string& name, std::function<void()> body) {
  return std::thread([name = name.substr(0, 15), body = std::move(body)] {
    pthread_setname_np(pthread_self(), name.c_str());
    body();
  });
}

int UsableCores(const std::string& cgroup_root, const std::string& proc_self_cgroup) {
  const double quota = CgroupQuota(cgroup_root, proc_self_cgroup);
  const int cores = AffinityCores();
  return quota >= cores ? cores : std::max(1, static_cast<int>(std::floor(quota)));
}

}  // namespace digit
