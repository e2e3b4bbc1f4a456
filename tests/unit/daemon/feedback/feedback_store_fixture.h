// A SqliteFeedbackStore in a folder of its own.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "daemon/feedback/sqlite_feedback_store.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {

inline constexpr CorrectionState kPending = CorrectionState::kPending, kAccepted = CorrectionState::kAccepted,
                                 kRejected = CorrectionState::kRejected;

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
    EXPECT_THAT(std::string(added.status().message()), ::testing::HasSubstr(words));
  }

  const std::vector<std::string> kLabels = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
  std::string scratch_, path_;
  SqliteFeedbackStore::Options options_{.max_per_source = 5, .max_total = 12, .busy_timeout = absl::Milliseconds(20)};
  std::unique_ptr<StateFolder> folder_;
  std::unique_ptr<SqliteFeedbackStore> store_;
};

}  // namespace digit
