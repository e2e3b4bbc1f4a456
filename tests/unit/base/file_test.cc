#include "base/file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/sha256.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

class FileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/digit-file.XXXXXX";
    folder_ = mkdtemp(folder);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  std::string folder_;
};

TEST_F(FileTest, ReadsBackWhatWasWritten) {
  const std::string content("a\0b\n", 4);
  ASSERT_TRUE(WriteFileAtomically(Path("f"), content).ok());
  const auto read = ReadFile(Path("f"), 100);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, content);
}

TEST_F(FileTest, ReplacesAndLeavesNoTemporaryFile) {
  ASSERT_TRUE(WriteFileAtomically(Path("f"), "old").ok());
  ASSERT_TRUE(WriteFileAtomically(Path("f"), "new").ok());
  EXPECT_EQ(*ReadFile(Path("f"), 100), "new");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), std::filesystem::directory_iterator()), 1);
}

TEST_F(FileTest, MakesFoldersOfWhichTheLastHasTheMode) {
  const mode_t before = ::umask(022);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(MakeFolders(Path("a//b/c/"), 0700).ok());
  ::umask(before);
  const auto mode = [this](const std::string& name) {
    struct stat info {};
    return ::stat(Path(name).c_str(), &info) == 0 && S_ISDIR(info.st_mode) ? info.st_mode & 0777 : 0;
  };
  EXPECT_EQ(mode("a/b"), 0755u);
  EXPECT_EQ(mode("a/b/c"), 0700u);
  ASSERT_TRUE(WriteFileAtomically(Path("f"), "").ok());
  EXPECT_THAT(std::string(MakeFolders(Path("f/d/e")).message()), HasSubstr("cannot create folder '" + Path("f/d")));
  EXPECT_EQ(MakeFolders("").code(), absl::StatusCode::kNotFound);
}

TEST_F(FileTest, NamesThePathAndTheLimit) {
  EXPECT_EQ(ReadFile(Path("none"), 100).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(ReadFile(Path("none"), 100).status().message()), HasSubstr(Path("none")));
  EXPECT_EQ(ReadFile(folder_, 100).status().code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(WriteFileAtomically(Path("f"), "12345").ok());
  const absl::Status too_large = ReadFile(Path("f"), 4).status();
  EXPECT_EQ(too_large.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(too_large.message()), HasSubstr("4 bytes"));
  EXPECT_TRUE(ReadFile(Path("f"), 5).ok());
}

TEST_F(FileTest, AFifoIsRefusedInsteadOfBlocking) {
  ASSERT_EQ(mkfifo(Path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(ReadFile(Path("fifo"), 100).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(FileTest, AMissingFolderIsNamedAndNotMade) {
  EXPECT_THAT(std::string(WriteFileAtomically(Path("no/f"), "x").message()), HasSubstr(Path("no/f")));
}

TEST_F(FileTest, OnlyRegularFilesAreReplaced) {
  ASSERT_EQ(mkfifo(Path("fifo").c_str(), 0600), 0);
  ASSERT_EQ(symlink(Path("nothing").c_str(), Path("dangling").c_str()), 0);
  for (const std::string& path : {Path("fifo"), Path("dangling"), std::string("/dev/null")}) {
    const absl::Status status = WriteFileAtomically(path, "x");
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(status.message()), HasSubstr(path));
  }
  struct stat status;
  ASSERT_EQ(lstat(Path("fifo").c_str(), &status), 0);
  EXPECT_TRUE(S_ISFIFO(status.st_mode));
}

TEST_F(FileTest, ALinkStaysAndItsTargetIsWritten) {
  ASSERT_TRUE(WriteFileAtomically(Path("target"), "old").ok());
  ASSERT_EQ(symlink("target", Path("link").c_str()), 0);
  ASSERT_TRUE(WriteFileAtomically(Path("link"), "new").ok());
  EXPECT_EQ(*ReadFile(Path("target"), 100), "new");
  struct stat status;
  ASSERT_EQ(lstat(Path("link").c_str(), &status), 0);
  EXPECT_TRUE(S_ISLNK(status.st_mode));
}

// The test vectors of FIPS 180-4.
TEST_F(FileTest, Sha256) {
  EXPECT_EQ(Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const std::string large(200'000, 'a');
  ASSERT_TRUE(WriteFileAtomically(Path("f"), large).ok());
  EXPECT_EQ(*Sha256HexOfFile(Path("f")), Sha256Hex(large));
  EXPECT_EQ(Sha256HexOfFile(Path("none")).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace digit
