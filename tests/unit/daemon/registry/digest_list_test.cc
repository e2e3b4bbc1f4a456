#include "daemon/registry/digest_list.h"

#include <unistd.h>

#include <filesystem>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/sha256.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

class DigestListTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/digit-digests.XXXXXX";
    folder_ = mkdtemp(folder);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path() const { return folder_ + "/digests"; }
  void Write(const std::string& text) { ASSERT_TRUE(WriteFileAtomically(path(), text).ok()); }

  const std::string a_ = Sha256Hex("a"), b_ = Sha256Hex("b");
  std::string folder_;
};

TEST_F(DigestListTest, AllowsWhatItsLinesBeginWith) {
  Write(absl::StrCat("# ours\n\n", a_, "  mnist.pt\n", absl::AsciiStrToUpper(b_), "\n"));
  const DigestList list(path());
  EXPECT_TRUE(list.Check(a_, "mnist.pt").ok());
  EXPECT_TRUE(list.Check(b_, "other.pt").ok());
  const absl::Status refused = list.Check(Sha256Hex("c"), "evil.pt");
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  for (const std::string& part : {std::string("evil.pt"), Sha256Hex("c"), path()}) {
    EXPECT_THAT(std::string(refused.message()), HasSubstr(part));
  }
}

TEST_F(DigestListTest, IsReadAnewEachTime) {
  Write(a_);
  const DigestList list(path());
  EXPECT_FALSE(list.Check(b_, "m").ok());
  Write(absl::StrCat(a_, "\n", b_));
  EXPECT_TRUE(list.Check(b_, "m").ok());
}

TEST_F(DigestListTest, WhatCannotBeReadAllowsNothing) {
  EXPECT_EQ(DigestList(path()).Check(a_, "m").code(), absl::StatusCode::kFailedPrecondition);
  Write(absl::StrCat(a_, "\nmnist.pt\n"));
  EXPECT_THAT(std::string(DigestList(path()).Check(a_, "m").message()), HasSubstr("line 2"));
}

TEST_F(DigestListTest, WithoutAFileEverythingIsAllowed) { EXPECT_TRUE(DigestList("").Check(a_, "m").ok()); }

}  // namespace
}  // namespace digit
