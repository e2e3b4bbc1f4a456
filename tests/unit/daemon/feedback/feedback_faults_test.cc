// Files that are not what they should be, and others that use them.
#include <sqlite3.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "tests/unit/daemon/feedback/feedback_store_fixture.h"

namespace digit {
namespace {

using ::testing::HasSubstr;
using FeedbackFaultsTest = SqliteFeedbackStoreTest;

// Another connection to the file, as another program has one.
class OtherProgram {
 public:
  explicit OtherProgram(const std::string& path) { EXPECT_EQ(sqlite3_open(path.c_str(), &connection_), SQLITE_OK); }
  ~OtherProgram() { sqlite3_close(connection_); }
  void Run(const std::string& sql) {
    char* error = nullptr;
    ASSERT_EQ(sqlite3_exec(connection_, sql.c_str(), nullptr, nullptr, &error), SQLITE_OK) << error;
  }

 private:
  sqlite3* connection_ = nullptr;
};

TEST_F(FeedbackFaultsTest, AFileOfANewerDigitdIsLeftAlone) {
  Add(1, "7", "ada");
  store_.reset();
  OtherProgram(path_).Run("PRAGMA user_version = 7");
  Open();
  ExpectFails(absl::StatusCode::kFailedPrecondition,
              absl::StrCat("'", path_, "' has schema 7 and this digitd knows 1"));
  OtherProgram(path_).Run("PRAGMA user_version = 1");
  EXPECT_EQ(List().size(), 1u);
}

TEST_F(FeedbackFaultsTest, AnotherProgramsDatabaseIsLeftAlone) {
  std::filesystem::create_directories(scratch_ + "/state");
  OtherProgram(path_).Run("CREATE TABLE cake (slices INTEGER)");
  const auto before = std::filesystem::file_size(path_);
  ExpectFails(absl::StatusCode::kFailedPrecondition, absl::StrCat("'", path_, "' is a database of another program"));
  EXPECT_EQ(std::filesystem::file_size(path_), before);
  EXPECT_FALSE(std::filesystem::exists(path_ + "-wal"));
}

TEST_F(FeedbackFaultsTest, GarbageIsSaidToBeAndOnceItIsMovedAwayAllWorksAgain) {
  Add(1, "7", "ada");
  store_.reset();
  std::ofstream(path_) << std::string(20'000, 'x');
  Open();
  ExpectFails(absl::StatusCode::kFailedPrecondition, absl::StrCat("'", path_, "' is damaged, or no database"));
  EXPECT_EQ(store_->List({}).status().code(), absl::StatusCode::kFailedPrecondition);
  std::filesystem::rename(path_, path_ + ".bad");
  Add(2, "7", "ada");
  EXPECT_EQ(List().size(), 1u);
}

TEST_F(FeedbackFaultsTest, ADamagedPageIsFoundWhenTheFileIsOpened) {
  options_.max_total = options_.max_per_source = 1000;
  Open();
  for (int i = 0; i < 100; ++i) Add(i, "7", "ada");
  store_.reset();
  {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(5 * 4096);
    file << std::string(4096, '\xaa');
  }
  Open();
  ExpectFails(absl::StatusCode::kFailedPrecondition, absl::StrCat("'", path_, "' is damaged"));
}

TEST_F(FeedbackFaultsTest, AFileThatTakesItsPlaceWhileItIsOpenIsNoticed) {
  Add(1, "7", "ada");
  Add(2, "7", "ada");
  std::filesystem::rename(scratch_ + "/state/feedback.db", scratch_ + "/old.db");
  std::filesystem::remove(path_ + "-wal");
  std::filesystem::remove(path_ + "-shm");
  EXPECT_TRUE(List().empty());
  Add(3, "7", "ada");
  EXPECT_EQ(List().size(), 1u);
  Open();
  EXPECT_EQ(List().size(), 1u);
}

TEST_F(FeedbackFaultsTest, ALockOfAnotherProgramIsWaitedForThenSaid) {
  Add(1, "7", "ada");
  {
    OtherProgram other(path_);
    other.Run("BEGIN IMMEDIATE");
    ExpectFails(absl::StatusCode::kUnavailable, absl::StrCat("'", path_, "' is locked by another process"));
    EXPECT_EQ(List().size(), 1u);  // reading goes on
  }
  Add(2, "7", "ada");
  EXPECT_EQ(List().size(), 2u);
}

TEST_F(FeedbackFaultsTest, AFolderThatCannotBeMadeIsSaidByItsPath) {
  std::ofstream(scratch_ + "/state") << "a file";
  ExpectFails(absl::StatusCode::kFailedPrecondition, scratch_ + "/state");
  EXPECT_TRUE(List().empty());
}

TEST_F(FeedbackFaultsTest, AFolderOfAnotherDigitdIsNotTouched) {
  Add(1, "7", "ada");
  StateFolder other_folder(scratch_ + "/state");
  SqliteFeedbackStore::Options options = options_;
  options.folder = &other_folder;
  SqliteFeedbackStore other(options);
  const auto added = other.Add(Said(2, "7", "ada"));
  EXPECT_EQ(added.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(added.status().message()), HasSubstr("another digitd uses"));
}

}  // namespace
}  // namespace digit
