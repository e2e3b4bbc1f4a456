#include "base/threads.h"

#include <pthread.h>
#include <sched.h>

#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"

namespace digit {
namespace {

namespace fs = std::filesystem;

// A folder laid out as /sys/fs/cgroup and a file as /proc/self/cgroup.
class UsableCoresTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/digit-cgroup.XXXXXX";
    root_ = mkdtemp(folder);
    cpu_set_t set;
    ASSERT_EQ(sched_getaffinity(0, sizeof(set), &set), 0);
    affinity_ = CPU_COUNT(&set);
  }
  void TearDown() override { fs::remove_all(root_); }
  void Write(const std::string& path, const std::string& content) {
    fs::create_directories(fs::path(root_ + "/" + path).parent_path());
    std::ofstream(root_ + "/" + path) << content;
  }
  int Cores(const std::string& proc_self_cgroup) {
    Write("self", proc_self_cgroup);
    return UsableCores(root_, root_ + "/self");
  }

  std::string root_;
  int affinity_ = 0;
};

TEST_F(UsableCoresTest, WithoutQuotaTheAffinityMaskDecides) {
  EXPECT_EQ(Cores(""), affinity_);
  Write("cpu.max", "max 100000\n");
  EXPECT_EQ(Cores("0::/\n"), affinity_);

  cpu_set_t all, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof(all), &all), 0);
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu) {
    if (CPU_ISSET(cpu, &all)) CPU_SET(cpu, &one);
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  EXPECT_EQ(Cores("0::/\n"), 1);
  ASSERT_EQ(sched_setaffinity(0, sizeof(all), &all), 0);
  EXPECT_EQ(Cores("0::/\n"), affinity_);
}

TEST_F(UsableCoresTest, ReadsTheQuotaOfCgroup2AndRoundsDown) {
  Write("pod/cpu.max", "190000 100000\n");
  EXPECT_EQ(Cores("0::/pod\n"), 1);
}

TEST_F(UsableCoresTest, AQuotaBelowOneCoreStillGivesOne) {
  Write("pod/cpu.max", "25000 100000\n");
  EXPECT_EQ(Cores("0::/pod\n"), 1);
}

TEST_F(UsableCoresTest, TheTightestParentOfCgroup2Holds) {
  Write("slice/cpu.max", "100000 100000\n");
  Write("slice/pod/cpu.max", "6400000 100000\n");
  EXPECT_EQ(Cores("0::/slice/pod\n"), 1);
}

TEST_F(UsableCoresTest, ReadsTheQuotaOfCgroup1) {
  Write("cpu,cpuacct/docker/x/cpu.cfs_quota_us", "150000\n");
  Write("cpu,cpuacct/docker/x/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(Cores("5:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n"), 1);
}

TEST_F(UsableCoresTest, InsideAContainerTheQuotaOfCgroup1IsAtTheRootOfTheMount) {
  Write("cpu/cpu.cfs_quota_us", "100000\n");
  Write("cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(Cores("4:cpu,cpuacct:/docker/not-visible-here\n"), 1);
}

TEST_F(UsableCoresTest, MinusOneInCgroup1MeansNoQuota) {
  Write("cpu/cpu.cfs_quota_us", "-1\n");
  Write("cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(Cores("4:cpu:/\n"), affinity_);
}

TEST_F(UsableCoresTest, NonsenseIsNoQuota) {
  Write("cpu.max", "a lot\n");
  EXPECT_EQ(Cores("0::/\nnonsense\n"), affinity_);
}

TEST(StartThreadTest, NamesTheThreadAndCutsLongNames) {
  char name[16] = "";
  StartThread("a-name-longer-than-15", [&name] { pthread_getname_np(pthread_self(), name, sizeof(name)); }).join();
  EXPECT_STREQ(name, "a-name-longer-t");
}

}  // namespace
}  // namespace digit
