#include "daemon/feedback/sqlite_feedback_store.h"

#include <sys/stat.h>

#include <map>

#include "absl/strings/str_cat.h"
#include "tests/unit/daemon/feedback/feedback_store_fixture.h"

namespace digit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

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

}  // namespace
}  // namespace digit
