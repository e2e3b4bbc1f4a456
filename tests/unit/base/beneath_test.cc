#include "base/beneath.h"

#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class BeneathTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/digit-beneath.XXXXXX";
    folder_ = mkdtemp(folder);
    root_ = folder_ + "/root";
    std::filesystem::create_directories(root_ + "/mnist/1");
    std::ofstream(root_ + "/mnist/1/model.pt") << "inside";
    std::ofstream(folder_ + "/secret") << "outside";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string folder_, root_;
};

TEST_F(BeneathTest, ReadsAndListsWhatIsBeneath) {
  EXPECT_EQ(*ReadFileBeneath(root_, "mnist/1/model.pt", 100), "inside");
  EXPECT_THAT(*ListFolderBeneath(root_, ""), ElementsAre("mnist"));
  EXPECT_THAT(*ListFolderBeneath(root_, "mnist"), ElementsAre("1"));
}

TEST_F(BeneathTest, FollowsLinksThatStayInside) {
  std::filesystem::create_directory_symlink("mnist", root_ + "/..data");
  EXPECT_EQ(*ReadFileBeneath(root_, "..data/1/model.pt", 100), "inside");
  EXPECT_EQ(*ReadFileBeneath(root_, "mnist/../mnist/1/model.pt", 100), "inside");
}

TEST_F(BeneathTest, NothingLeadsOut) {
  std::filesystem::create_symlink("../secret", root_ + "/relative");
  std::filesystem::create_symlink(folder_ + "/secret", root_ + "/absolute");
  std::filesystem::create_symlink(root_ + "/mnist/1/model.pt", root_ + "/absolute_inside");
  std::filesystem::create_directory_symlink("..", root_ + "/up");
  for (const std::string& name :
       {std::string(), std::string("../secret"), folder_ + "/secret", root_ + "/mnist/1/model.pt",
        std::string("mnist/../../secret"), std::string("relative"), std::string("absolute"),
        std::string("absolute_inside"), std::string("up/secret")}) {
    const absl::Status status = ReadFileBeneath(root_, name, 100).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name << ": " << status;
  }
  EXPECT_EQ(ListFolderBeneath(root_, "up").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(BeneathTest, WhatIsMissingOrNoFileIsSaidByItsPath) {
  const absl::Status missing = ReadFileBeneath(root_, "mnist/2/model.pt", 100).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.message()), HasSubstr(root_ + "/mnist/2/model.pt"));
  EXPECT_EQ(ReadFileBeneath(root_, "mnist", 100).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReadFileBeneath(root_, "mnist/1/model.pt", 5).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ListFolderBeneath(root_, "mnist/1/model.pt").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ListFolderBeneath(folder_ + "/nowhere", "").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace digit
