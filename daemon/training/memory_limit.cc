#include "daemon/training/memory_limit.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/file.h"

namespace digit {
namespace {

constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();
constexpr int64_t kLeast = int64_t{64} << 20;
constexpr int64_t kMaxFile = 1 << 20;

// The number in a file; kUnlimited for "max" and where there is none.
int64_t NumberIn(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path, kMaxFile);
  int64_t number = 0;
  return text.ok() && absl::SimpleAtoi(*text, &number) ? number : kUnlimited;
}

// What `limit_file` minus `usage_file` leaves in `folder` and in every folder above it, down to `mount`.
int64_t LeftIn(const std::string& mount, std::string group, const char* limit_file, const char* usage_file) {
  int64_t left = kUnlimited;
  while (true) {
    const std::string folder = absl::StrCat(mount, group == "/" ? "" : group, "/");
    const int64_t limit = NumberIn(folder + limit_file), usage = NumberIn(folder + usage_file);
    if (limit != kUnlimited && usage != kUnlimited) left = std::min(left, std::max<int64_t>(0, limit - usage));
    if (group.empty() || group == "/") return left;
    group.resize(group.rfind('/'));
  }
}

int64_t LeftInCgroups(const std::string& root) {
  const absl::StatusOr<std::string> text = ReadFile(root + "/proc/self/cgroup", kMaxFile);
  if (!text.ok()) return kUnlimited;
  int64_t left = kUnlimited;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {  // "0::/a/b", "5:cpu,memory:/a/b"
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) continue;
    const std::vector<std::string> controllers = absl::StrSplit(parts[1], ',');
    if (parts[1].empty()) {
      left = std::min(left, LeftIn(root + "/sys/fs/cgroup", parts[2], "memory.max", "memory.current"));
    } else if (std::find(controllers.begin(), controllers.end(), "memory") != controllers.end()) {
      left = std::min(
          left, LeftIn(root + "/sys/fs/cgroup/memory", parts[2], "memory.limit_in_bytes", "memory.usage_in_bytes"));
    }
  }
  return left;
}

int64_t AvailableOnMachine(const std::string& root) {
  const absl::StatusOr<std::string> text = ReadFile(root + "/proc/meminfo", kMaxFile);
  if (!text.ok()) return kUnlimited;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    int64_t kib = 0;
    if (words.size() >= 2 && words[0] == "MemAvailable:" && absl::SimpleAtoi(words[1], &kib)) return kib << 10;
  }
  return kUnlimited;
}

}  // namespace

int64_t MemoryForChild(const std::string& root) {
  const int64_t left = std::min(LeftInCgroups(root), AvailableOnMachine(root));
  return left == kUnlimited ? kUnlimited : std::max(kLeast, left / 4 * 3);
}

}  // namespace digit
