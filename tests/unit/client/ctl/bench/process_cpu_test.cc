#include "client/ctl/bench/process_cpu.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace digit {
namespace {

// A /proc of our own, in which two processes exist.
class FakeProc : public ::testing::Test {
 protected:
  FakeProc() {
    root_ = ::testing::TempDir() + "proc.XXXXXX";
    EXPECT_NE(mkdtemp(root_.data()), nullptr);
    std::filesystem::create_directories(root_ + "/net");
    AddProcess(10, "digitd");
    AddProcess(20, "other");
  }
  ~FakeProc() override { std::filesystem::remove_all(root_); }

  void AddProcess(int pid, const std::string& name) {
    std::filesystem::create_directories(absl::StrCat(root_, "/", pid, "/fd"));
    std::ofstream(absl::StrCat(root_, "/", pid, "/comm")) << name << "\n";
  }
  void AddSocket(int pid, int fd, int inode) {
    std::filesystem::create_symlink(absl::StrCat("socket:[", inode, "]"), absl::StrCat(root_, "/", pid, "/fd/", fd));
  }
  // As the kernel prints them; C383 is 50051.
  void SetTable(const std::string& file, const std::string& address, const std::string& state, int inode) {
    std::ofstream(root_ + "/net/" + file)
        << "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        << "   0: " << address << " 00000000:0000 " << state
        << " 00000000:00000000 00:00000000 00000000     0        0 " << inode << " 1 0000000000000000 100 0 0 10 0\n";
  }

  std::string root_;
};

TEST_F(FakeProc, TheProcessWithTheListeningSocketIsFound) {
  SetTable("tcp", "0100007F:C383", "0A", 555);
  AddSocket(20, 3, 554);
  AddSocket(10, 7, 555);
  const auto found = FindListener(50051, root_);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->pid, 10);
  EXPECT_EQ(found->name, "digitd");
}

TEST_F(FakeProc, SoIsOneThatListensOnIpv6) {
  SetTable("tcp6", "00000000000000000000000000000000:C383", "0A", 555);
  AddSocket(10, 7, 555);
  EXPECT_TRUE(FindListener(50051, root_).has_value());
}

TEST_F(FakeProc, OtherPortsAndConnectionsAreNot) {
  SetTable("tcp", "0100007F:C383", "01", 555);  // established
  AddSocket(10, 7, 555);
  EXPECT_FALSE(FindListener(50051, root_).has_value());
  SetTable("tcp", "0100007F:C384", "0A", 555);
  EXPECT_FALSE(FindListener(50051, root_).has_value());
}

TEST_F(FakeProc, TwoHoldersAreAsGoodAsNone) {
  SetTable("tcp", "0100007F:C383", "0A", 555);
  AddSocket(10, 7, 555);
  AddSocket(20, 7, 555);
  EXPECT_FALSE(FindListener(50051, root_).has_value());
}

TEST_F(FakeProc, ASocketWithoutAVisibleHolderIsUnknown) {
  SetTable("tcp", "0100007F:C383", "0A", 555);
  EXPECT_FALSE(FindListener(50051, root_).has_value());
  EXPECT_FALSE(FindListener(50051, root_ + "/none").has_value());
}

TEST(ProcessCpuTest, ThisProcessIsFoundByItsRealPort) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(fd, 1), 0);
  ASSERT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const auto found = FindListener(ntohs(address.sin_port));
  close(fd);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->pid, getpid());
}

TEST(ProcessCpuTest, CpuTimeOnlyGrowsAndEndsWithTheProcess) {
  const absl::Duration own = OwnCpuTime();
  const auto before = CpuTimeOf(getpid());
  ASSERT_TRUE(before.has_value());
  volatile uint64_t work = 0;
  for (int i = 0; i < 20'000'000; ++i) work = work + i;
  EXPECT_GT(*CpuTimeOf(getpid()), *before);
  EXPECT_GE(OwnCpuTime(), own);
  EXPECT_FALSE(CpuTimeOf(-1).has_value());
  const pid_t child = fork();
  if (child == 0) _exit(0);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_FALSE(CpuTimeOf(child).has_value());
}

TEST(ProcessCpuTest, KnowsTheMachinesOwnAddresses) {
  EXPECT_TRUE(IsInterfaceAddress("127.0.0.1"));
  EXPECT_FALSE(IsInterfaceAddress("192.0.2.1"));  // reserved for documentation
  EXPECT_FALSE(IsInterfaceAddress("localhost"));  // a name
}

}  // namespace
}  // namespace digit
