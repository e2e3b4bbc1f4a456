#include "daemon/feedback/sqlite_feedback_store.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr CorrectionState kPending = CorrectionState::kPending, kAccepted = CorrectionState::kAccepted,
                          kRejected = CorrectionState::kRejected;
const std::vector<std::string> kLabels = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};

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

class SqliteFeedbackStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/digit-feedback.XXXXXX";
    scratch_ = mkdtemp(folder);
    path_ = scratch_ + "/state/feedback.db";
    Open();
  }
  void TearDown() override { std::filesystem::remove_all(scratch_); }

  // As after a restart.
  void Open() {
    store_.reset();
    folder_ = nullptr;
    folder_ = std::make_unique<StateFolder>(scratch_ + "/state");
    options_.folder = folder_.get();
    store_ = std::make_unique<SqliteFeedbackStore>(options_);
  }

  Correction Said(int picture, const std::string& truth, const std::string& source) {
    const std::string one(1, '1');  // GCC 12 warns about the assignment of a short literal
    return {.pixels = std::string(kCorrectionPixels, static_cast<char>(picture)),
            .model = "mnist",
            .version = one,
            .answered = one,
            .truth = truth,
            .source = source,
            .created = absl::FromUnixSeconds(1'700'000'000)};
  }
  FeedbackStore::Added Add(const Correction& correction) {
    absl::StatusOr<FeedbackStore::Added> added = store_->Add(correction);
    EXPECT_TRUE(added.ok()) << added.status();
    return added.ok() ? *std::move(added) : FeedbackStore::Added();
  }
  int64_t Add(int picture, const std::string& truth, const std::string& source) {
    return Add(Said(picture, truth, source)).correction.id;
  }
  std::vector<StoredCorrection> List(const FeedbackStore::Query& query = {}) {
    auto found = store_->List(query);
    EXPECT_TRUE(found.ok()) << found.status();
    return found.ok() ? *std::move(found) : std::vector<StoredCorrection>();
  }
  CorrectionState StateOf(int64_t id) {
    for (const StoredCorrection& correction : List()) {
      if (correction.id == id) return correction.state;
    }
    ADD_FAILURE() << "no correction " << id;
    return kPending;
  }
  TrainingPictures Accepted() {
    auto accepted = store_->Accepted("mnist", kLabels);
    EXPECT_TRUE(accepted.ok()) << accepted.status();
    return accepted.ok() ? *std::move(accepted) : TrainingPictures();
  }
  void ExpectFails(absl::StatusCode code, const std::string& words) {
    const auto added = store_->Add(Said(200, "7", "late"));
    EXPECT_EQ(added.status().code(), code) << added.status();
    EXPECT_THAT(std::string(added.status().message()), HasSubstr(words));
  }

  std::string scratch_, path_;
  SqliteFeedbackStore::Options options_{.max_per_source = 5, .max_total = 12, .busy_timeout = absl::Milliseconds(20)};
  std::unique_ptr<StateFolder> folder_;
  std::unique_ptr<SqliteFeedbackStore> store_;
};

TEST_F(SqliteFeedbackStoreTest, ReadingMakesNothing) {
  EXPECT_TRUE(List().empty());
  EXPECT_EQ(Accepted().size(), 0u);
  EXPECT_TRUE(store_->CountAnswers("mnist")->empty());
  EXPECT_EQ(store_->Review({1}, kAccepted).status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(scratch_ + "/state"));
}

TEST_F(SqliteFeedbackStoreTest, WhatWasSaidIsThereAfterARestart) {
  Correction first = Said(1, "7", "ada"), second = Said(2, std::string(kNotADigitLabel), "bob");
  second.answered = std::nullopt;
  second.version = "";
  Add(first);
  Add(second);
  Open();
  const std::vector<StoredCorrection> found = List({.with_pixels = true});
  ASSERT_EQ(found.size(), 2u);  // newest first
  EXPECT_EQ(found[0].truth, kNotADigitLabel);
  EXPECT_FALSE(found[0].answered.has_value());
  EXPECT_EQ(found[0].version, "");
  EXPECT_EQ(found[1].pixels, first.pixels);
  EXPECT_EQ(found[1].model, "mnist");
  EXPECT_EQ(found[1].version, "1");
  EXPECT_EQ(found[1].answered, "1");
  EXPECT_EQ(found[1].truth, "7");
  EXPECT_EQ(found[1].source, "ada");
  EXPECT_EQ(found[1].created, first.created);
  EXPECT_EQ(found[1].state, kPending);
  EXPECT_EQ(found[1].agreeing_sources, 1);
}

TEST_F(SqliteFeedbackStoreTest, TheFileIsForItsOwnerOnly) {
  Add(1, "7", "ada");
  for (const char* name : {"", "-wal", "-shm"}) {
    struct stat info {};
    ASSERT_EQ(::stat((path_ + name).c_str(), &info), 0) << name;
    EXPECT_EQ(info.st_mode & 0777, 0600u) << name;
  }
}

TEST_F(SqliteFeedbackStoreTest, TheSameFromTheSameSourceIsOneRow) {
  const int64_t id = Add(1, "7", "ada");
  const FeedbackStore::Added again = Add(Said(1, "7", "ada"));
  EXPECT_TRUE(again.duplicate);
  EXPECT_EQ(again.correction.id, id);
  EXPECT_EQ(List().size(), 1u);
  Correction other = Said(1, "7", "ada");
  other.model = "other";
  EXPECT_FALSE(Add(other).duplicate);
  EXPECT_FALSE(Add(Said(1, "7", "bob")).duplicate);
  EXPECT_EQ(List().size(), 3u);
  EXPECT_EQ(List({.model = "other"}).size(), 1u);
}

TEST_F(SqliteFeedbackStoreTest, ASourceMayChangeItsMindAndAReviewOfWhatItSaidIsNotFooled) {
  const int64_t first = Add(1, "7", "ada");
  const FeedbackStore::Added second = Add(Said(1, "1", "ada"));
  EXPECT_FALSE(second.duplicate);
  ASSERT_EQ(List().size(), 1u);
  EXPECT_EQ(List()[0].truth, "1");
  EXPECT_EQ(store_->Review({first}, kAccepted).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(SqliteFeedbackStoreTest, WhatWasReviewedStaysWhenItsSourceSaysOtherwise) {
  const int64_t first = Add(1, "7", "ada");
  ASSERT_TRUE(store_->Review({first}, kAccepted).ok());
  const int64_t second = Add(1, "1", "ada");
  EXPECT_EQ(StateOf(first), kAccepted);
  EXPECT_EQ(StateOf(second), kPending);
  const FeedbackStore::Added back = Add(Said(1, "7", "ada"));  // and back: the other claim is withdrawn
  EXPECT_TRUE(back.duplicate);
  EXPECT_EQ(back.correction.state, kAccepted);
  EXPECT_EQ(List().size(), 1u);
}

TEST_F(SqliteFeedbackStoreTest, SourcesAreBoundedUntilSomebodyReviews) {
  for (int i = 0; i < 5; ++i) Add(i, "7", "ada");
  const auto refused = store_->Add(Said(5, "7", "ada"));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(refused.status().message(), "source 'ada' has 5 corrections that nobody has reviewed, and the limit is 5");
  EXPECT_TRUE(store_->Add(Said(0, "7", "ada"))->duplicate);
  EXPECT_TRUE(store_->Add(Said(0, "1", "ada")).ok());  // takes the place of the one before
  EXPECT_TRUE(store_->Add(Said(5, "7", "bob")).ok());
  ASSERT_TRUE(store_->Review({List()[0].id, List()[1].id}, kRejected).ok());
  EXPECT_TRUE(store_->Add(Said(6, "7", "ada")).ok());
}

TEST_F(SqliteFeedbackStoreTest, TheStoreIsBounded) {
  for (int i = 0; i < 12; ++i) Add(i, "7", absl::StrCat("source ", i));
  ExpectFails(absl::StatusCode::kResourceExhausted, "the store holds 12 corrections, and its limit is 12");
  EXPECT_EQ(List().size(), 12u);
}

TEST_F(SqliteFeedbackStoreTest, WhatIsSaidOfOnePictureIsBounded) {
  options_.max_total = 1000;
  Open();
  for (int i = 0; i < 100; ++i) Add(1, "7", absl::StrCat("source ", i));
  const auto refused = store_->Add(Said(1, "7", "one more"));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("of this picture already, and the limit is 100"));
}

TEST_F(SqliteFeedbackStoreTest, AgreementIsOffUnlessAskedForAndFollowsTheSettingAfterARestart) {
  const int64_t first = Add(1, "7", "ada"), second = Add(1, "7", "bob");
  EXPECT_EQ(StateOf(first), kPending);
  options_.agreement = 2;
  Open();
  EXPECT_EQ(StateOf(first), kAccepted);
  EXPECT_EQ(StateOf(second), kAccepted);
  EXPECT_EQ(List()[0].agreeing_sources, 2);
  options_.agreement = 0;
  Open();
  EXPECT_EQ(StateOf(first), kPending);
}

TEST_F(SqliteFeedbackStoreTest, AContradictionTakesAgreementBackAndItsWithdrawalRestoresIt) {
  options_.agreement = 2;
  Open();
  const int64_t first = Add(1, "7", "ada");
  EXPECT_EQ(Add(Said(1, "7", "bob")).correction.state, kAccepted);
  EXPECT_EQ(Add(Said(1, "1", "eve")).correction.state, kPending);
  EXPECT_EQ(StateOf(first), kPending);
  EXPECT_EQ(Add(Said(1, "7", "eve")).correction.state, kAccepted);
  EXPECT_EQ(StateOf(first), kAccepted);
  EXPECT_EQ(StateOf(Add(2, "7", "ada")), kPending);  // another picture
}

TEST_F(SqliteFeedbackStoreTest, AReviewWinsAndSticks) {
  options_.agreement = 2;
  Open();
  const int64_t ada = Add(1, "7", "ada"), bob = Add(1, "7", "bob");
  const auto reviewed = store_->Review({ada}, kRejected);
  ASSERT_TRUE(reviewed.ok()) << reviewed.status();
  EXPECT_EQ((*reviewed)[0].state, kRejected);
  EXPECT_EQ(StateOf(bob), kRejected);
  EXPECT_EQ(Add(Said(1, "7", "eve")).correction.state, kRejected);
  Open();
  EXPECT_EQ(StateOf(ada), kRejected);
  EXPECT_EQ(StateOf(Add(1, "1", "dan")), kPending);
  EXPECT_EQ(StateOf(Add(1, "1", "kim")), kAccepted);
}

TEST_F(SqliteFeedbackStoreTest, AReviewIsAllOrNothing) {
  const int64_t first = Add(1, "7", "ada"), second = Add(2, "7", "ada");
  EXPECT_EQ(store_->Review({first, 999, second}, kAccepted).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(StateOf(first), kPending);
  const auto both = store_->Review({second, first}, kAccepted);
  ASSERT_TRUE(both.ok());
  EXPECT_EQ((*both)[0].id, second);
  EXPECT_EQ((*both)[1].id, first);
}

TEST_F(SqliteFeedbackStoreTest, ContradictionsCannotBothBeAccepted) {
  const int64_t seven = Add(1, "7", "ada"), one = Add(1, "1", "bob");
  const auto both = store_->Review({seven, one}, kAccepted);
  EXPECT_EQ(both.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(both.status().message()), HasSubstr(absl::StrCat("correction ", seven, " contradicts")));
  EXPECT_EQ(StateOf(seven), kPending);
  ASSERT_TRUE(store_->Review({one}, kAccepted).ok());
  EXPECT_EQ(StateOf(seven), kRejected);
  ASSERT_TRUE(store_->Review({seven}, kAccepted).ok());  // the last word counts
  EXPECT_EQ(StateOf(one), kRejected);
}

TEST_F(SqliteFeedbackStoreTest, ListsByModelStateAndPage) {
  std::vector<int64_t> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(Add(i, "7", "ada"));
  ASSERT_TRUE(store_->Review({ids[1], ids[3]}, kAccepted).ok());
  const auto ids_of = [this](const FeedbackStore::Query& query) {
    std::vector<int64_t> found;
    for (const StoredCorrection& correction : List(query)) found.push_back(correction.id);
    return found;
  };
  EXPECT_THAT(ids_of({.limit = 2}), ElementsAre(ids[4], ids[3]));
  EXPECT_THAT(ids_of({.limit = 2, .before_id = ids[3]}), ElementsAre(ids[2], ids[1]));
  EXPECT_THAT(ids_of({.state = kAccepted}), ElementsAre(ids[3], ids[1]));
  EXPECT_THAT(ids_of({.model = "mnist", .state = kPending, .limit = 1}), ElementsAre(ids[4]));
  EXPECT_THAT(ids_of({.model = "other"}), ElementsAre());
}

TEST_F(SqliteFeedbackStoreTest, CountsAnswersOfWhatNamesThemAndIsNotRejected) {
  const int64_t wrong = Add(1, "7", "ada");
  Add(2, "7", "ada");
  Add(3, "1", "ada");
  Correction unknown = Said(4, "7", "ada");
  unknown.version = "";
  Add(unknown);
  ASSERT_TRUE(store_->Review({wrong}, kRejected).ok());
  const auto counts = store_->CountAnswers("mnist");
  ASSERT_TRUE(counts.ok());
  ASSERT_EQ(counts->size(), 2u);
  EXPECT_EQ((*counts)[0].version, "1");
  EXPECT_EQ((*counts)[0].answered, "1");
  EXPECT_EQ((*counts)[0].truth, "1");
  EXPECT_EQ((*counts)[0].corrections, 1);
  EXPECT_EQ((*counts)[1].truth, "7");
}

TEST_F(SqliteFeedbackStoreTest, WhatTrainsIsAcceptedEachPictureOnceInAnOrderOfItsOwn) {
  const std::vector<int64_t> ids = {Add(1, "7", "ada"), Add(1, "7", "bob"), Add(2, "", "ada"), Add(3, "3", "ada"),
                                    Add(4, "ten", "ada")};
  Add(5, "5", "bob");  // pending
  ASSERT_TRUE(store_->Review(ids, kAccepted).ok());
  const TrainingPictures pictures = Accepted();
  ASSERT_EQ(pictures.size(), 3u);
  ASSERT_EQ(pictures.pixels.size(), 3 * kCorrectionPixels);
  std::map<int, int> labels;  // by picture
  for (size_t i = 0; i < pictures.size(); ++i) labels[pictures.pixels[i * kCorrectionPixels]] = pictures.labels[i];
  EXPECT_EQ(labels, (std::map<int, int>{{1, 7}, {2, TrainingPictures::kNotADigit}, {3, 3}}));

  std::filesystem::remove_all(scratch_ + "/state");  // the same, said in another order
  Open();
  for (const auto& [picture, label] : std::map<int, std::string>{{3, "3"}, {2, ""}, {1, "7"}}) {
    ASSERT_TRUE(store_->Review({Add(picture, label, "kim")}, kAccepted).ok());
  }
  EXPECT_EQ(Accepted().pixels, pictures.pixels);
  EXPECT_EQ(Accepted().labels, pictures.labels);
}

TEST_F(SqliteFeedbackStoreTest, AFileOfANewerDigitdIsLeftAlone) {
  Add(1, "7", "ada");
  store_.reset();
  OtherProgram(path_).Run("PRAGMA user_version = 7");
  Open();
  ExpectFails(absl::StatusCode::kFailedPrecondition,
              absl::StrCat("'", path_, "' has schema 7 and this digitd knows 1"));
  OtherProgram(path_).Run("PRAGMA user_version = 1");
  EXPECT_EQ(List().size(), 1u);
}

TEST_F(SqliteFeedbackStoreTest, AnotherProgramsDatabaseIsLeftAlone) {
  std::filesystem::create_directories(scratch_ + "/state");
  OtherProgram(path_).Run("CREATE TABLE cake (slices INTEGER)");
  const auto before = std::filesystem::file_size(path_);
  ExpectFails(absl::StatusCode::kFailedPrecondition, absl::StrCat("'", path_, "' is a database of another program"));
  EXPECT_EQ(std::filesystem::file_size(path_), before);
  EXPECT_FALSE(std::filesystem::exists(path_ + "-wal"));
}

TEST_F(SqliteFeedbackStoreTest, GarbageIsSaidToBeAndOnceItIsMovedAwayAllWorksAgain) {
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

TEST_F(SqliteFeedbackStoreTest, ADamagedPageIsFoundWhenTheFileIsOpened) {
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

TEST_F(SqliteFeedbackStoreTest, AFileThatTakesItsPlaceWhileItIsOpenIsNoticed) {
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

TEST_F(SqliteFeedbackStoreTest, ALockOfAnotherProgramIsWaitedForThenSaid) {
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

TEST_F(SqliteFeedbackStoreTest, AFolderThatCannotBeMadeIsSaidByItsPath) {
  std::ofstream(scratch_ + "/state") << "a file";
  ExpectFails(absl::StatusCode::kFailedPrecondition, scratch_ + "/state");
  EXPECT_TRUE(List().empty());
}

TEST_F(SqliteFeedbackStoreTest, AFolderOfAnotherDigitdIsNotTouched) {
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
