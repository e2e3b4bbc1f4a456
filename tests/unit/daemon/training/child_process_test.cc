#include "daemon/training/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

class ChildProcessTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/digit-child.XXXXXX";
    folder_ = mkdtemp(folder);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  absl::StatusOr<ChildProcess> Shell(const std::string& script, int64_t max_data_bytes = 1 << 30) {
    return ChildProcess::Start(
        {.argv = {"/bin/sh", "-c", script}, .log = folder_ + "/log", .max_data_bytes = max_data_bytes});
  }
  static ChildProcess::Exit Wait(ChildProcess* child) {
    pollfd ended = {.fd = child->pidfd(), .events = POLLIN};
    ::poll(&ended, 1, 30'000);
    const auto exit = child->TryWait();
    return exit.value_or(ChildProcess::Exit{.code = -2});
  }
  std::string Log() {
    std::stringstream text;
    text << std::ifstream(folder_ + "/log").rdbuf();
    return text.str();
  }
  static std::string ReadEvents(const ChildProcess& child) {
    std::string text;
    char chunk[1000];
    pollfd readable = {.fd = child.events(), .events = POLLIN};
    for (ssize_t n; ::poll(&readable, 1, 30'000) == 1 && (n = ::read(child.events(), chunk, sizeof(chunk))) > 0;) {
      text.append(chunk, static_cast<size_t>(n));
    }
    return text;
  }
  std::string folder_;
};

TEST_F(ChildProcessTest, TellsHowItEnded) {
  auto good = Shell("exit 0"), bad = Shell("exit 7"), killed = Shell("kill -SEGV $$");
  EXPECT_EQ(Wait(&*good).code, 0);
  EXPECT_EQ(Wait(&*bad).code, 7);
  const ChildProcess::Exit exit = Wait(&*killed);
  EXPECT_EQ(exit.signal, SIGSEGV);
  EXPECT_EQ(exit.code, -1);
}

TEST_F(ChildProcessTest, WhatItWritesGoesToTheLogAndItsEventsToUs) {
  auto child = Shell("echo out; echo err >&2; echo event >&3");
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_EQ(ReadEvents(*child), "event\n");
  EXPECT_EQ(Wait(&*child).code, 0);
  EXPECT_EQ(Log(), "out\nerr\n");
}

TEST_F(ChildProcessTest, AProgramThatIsNotThereIsSaidByItsName) {
  const auto child = ChildProcess::Start({.argv = {"/no/such/program"}, .log = folder_ + "/log", .max_data_bytes = 1});
  EXPECT_EQ(child.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(child.status().message()), HasSubstr("/no/such/program"));
}

TEST_F(ChildProcessTest, GivesWayAndInheritsNothing) {
  const int inherited = ::open("/dev/null", O_RDONLY);  // without O_CLOEXEC
  sigset_t term, before;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &term, &before);
  auto child = Shell(
      "cat /proc/self/oom_score_adj; ulimit -d; ulimit -c; grep SigBlk /proc/self/status; "
      "awk '{print $41}' /proc/self/stat; ls /proc/$$/fd",
      64 << 20);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  ::close(inherited);
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_EQ(Wait(&*child).code, 0);
  EXPECT_EQ(Log(), "1000\n65536\n0\nSigBlk:\t0000000000000000\n5\n0\n1\n2\n3\n");  // 5: SCHED_IDLE
}

TEST_F(ChildProcessTest, BeyondItsMemoryItFailsAndWeDoNot) {
  auto child = Shell("x=1234567890; while :; do x=$x$x; done", 16 << 20);
  ASSERT_TRUE(child.ok()) << child.status();
  const ChildProcess::Exit exit = Wait(&*child);
  EXPECT_TRUE(exit.code > 0 || exit.signal != 0);
  EXPECT_NE(exit.code, -2);
}

TEST_F(ChildProcessTest, ASignalReachesItsWholeGroup) {
  auto child = Shell(
      "sh -c 'tail -f /dev/null & trap \"echo grandchild >&3; exit\" TERM; echo ready >&3; wait' & "
      "trap : TERM; wait; wait");
  ASSERT_TRUE(child.ok()) << child.status();
  char ready[6];
  pollfd readable = {.fd = child->events(), .events = POLLIN};
  ASSERT_EQ(::poll(&readable, 1, 30'000), 1);
  ASSERT_EQ(::read(child->events(), ready, sizeof(ready)), 6);
  child->Signal(SIGTERM);
  EXPECT_EQ(ReadEvents(*child), "grandchild\n");
  Wait(&*child);
}

TEST_F(ChildProcessTest, IsKilledWithItsOwner) {
  pid_t pid = 0;
  {
    auto child = Shell("exec tail -f /dev/null");
    ASSERT_TRUE(child.ok()) << child.status();
    pid = child->pid();
    EXPECT_FALSE(child->TryWait().has_value());
  }
  EXPECT_EQ(::kill(pid, 0), -1);
}

}  // namespace
}  // namespace digit
