#include "base/state_folder.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

class StateFolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/digit-state.XXXXXX";
    folder_ = mkdtemp(folder);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string folder_;
};

TEST_F(StateFolderTest, IsMadeWhenOpenedForItsOwnerOnly) {
  StateFolder state(folder_ + "/a/b");
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/a"));
  ASSERT_TRUE(state.Open().ok());
  EXPECT_TRUE(state.Open().ok());
  struct stat info {};
  ASSERT_EQ(::stat((folder_ + "/a/b").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST_F(StateFolderTest, IsForOneProcessAtATime) {
  StateFolder second(folder_);
  {
    StateFolder first(folder_);
    ASSERT_TRUE(first.Open().ok());
    const absl::Status taken = second.Open();
    EXPECT_EQ(taken.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(taken.message()), HasSubstr("another digitd uses '" + folder_ + "'"));
  }
  EXPECT_TRUE(second.Open().ok());
}

TEST_F(StateFolderTest, WhatIsNoFolderIsSaidByItsPath) {
  std::ofstream(folder_ + "/file") << "";
  const absl::Status status = StateFolder(folder_ + "/file/state").Open();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr(folder_ + "/file"));
  EXPECT_THAT(std::string(StateFolder("").Open().message()), HasSubstr("--state-dir DIR"));
}

TEST_F(StateFolderTest, DefaultsToTheUsersStateFolder) {
  static std::map<std::string, std::string> environment;
  const auto get_env = [](const char* name) -> const char* {
    const auto found = environment.find(name);
    return found == environment.end() ? nullptr : found->second.c_str();
  };
  EXPECT_EQ(DefaultStateFolder(get_env), "");
  environment["HOME"] = "/home/ada";
  EXPECT_EQ(DefaultStateFolder(get_env), "/home/ada/.local/state/digitd");
  environment["XDG_STATE_HOME"] = "/var/state";
  EXPECT_EQ(DefaultStateFolder(get_env), "/var/state/digitd");
  environment["XDG_STATE_HOME"] = "relative";
  EXPECT_EQ(DefaultStateFolder(get_env), "/home/ada/.local/state/digitd");
}

}  // namespace
}  // namespace digit
