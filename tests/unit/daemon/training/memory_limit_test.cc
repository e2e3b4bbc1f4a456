#include "daemon/training/memory_limit.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include "gtest/gtest.h"

namespace digit {
namespace {

constexpr int64_t kMiB = 1 << 20;

class MemoryLimitTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/digit-memory.XXXXXX";
    root_ = mkdtemp(folder);
    Write("/proc/meminfo", "MemTotal: 8388608 kB\nMemAvailable:    4194304 kB\n");  // 4 GiB
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  void Write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }
  std::string root_;
};

TEST_F(MemoryLimitTest, WithoutACgroupTheMachineCounts) { EXPECT_EQ(MemoryForChild(root_), 3072 * kMiB); }

TEST_F(MemoryLimitTest, OfAVersion2CgroupWhatItHasLeft) {
  Write("/proc/self/cgroup", "0::/pod/app\n");
  Write("/sys/fs/cgroup/pod/app/memory.max", "1073741824\n");
  Write("/sys/fs/cgroup/pod/app/memory.current", "536870912\n");
  EXPECT_EQ(MemoryForChild(root_), 384 * kMiB);
  Write("/sys/fs/cgroup/pod/app/memory.max", "max\n");
  EXPECT_EQ(MemoryForChild(root_), 3072 * kMiB);
}

TEST_F(MemoryLimitTest, TheTightestOfTheCgroupsAboveCounts) {
  Write("/proc/self/cgroup", "0::/pod/app\n");
  Write("/sys/fs/cgroup/pod/app/memory.max", "2147483648\n");
  Write("/sys/fs/cgroup/pod/app/memory.current", "0\n");
  Write("/sys/fs/cgroup/pod/memory.max", "1073741824\n");
  Write("/sys/fs/cgroup/pod/memory.current", "0\n");
  EXPECT_EQ(MemoryForChild(root_), 768 * kMiB);
}

TEST_F(MemoryLimitTest, OfAVersion1CgroupToo) {
  Write("/proc/self/cgroup", "12:cpu,cpuacct:/x\n5:memory:/docker/1\n");
  Write("/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes", "1073741824\n");
  Write("/sys/fs/cgroup/memory/docker/1/memory.usage_in_bytes", "0\n");
  EXPECT_EQ(MemoryForChild(root_), 768 * kMiB);
}

TEST_F(MemoryLimitTest, ThereIsAlwaysALittle) {
  Write("/proc/self/cgroup", "0::/full\n");
  Write("/sys/fs/cgroup/full/memory.max", "1048576\n");
  Write("/sys/fs/cgroup/full/memory.current", "2097152\n");
  EXPECT_EQ(MemoryForChild(root_), 64 * kMiB);
}

TEST_F(MemoryLimitTest, WhereNothingIsKnownThereIsNoLimit) {
  EXPECT_EQ(MemoryForChild("/nowhere"), std::numeric_limits<int64_t>::max());
}

}  // namespace
}  // namespace digit
