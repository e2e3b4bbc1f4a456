// Candidates, copies of requests for them, promotion, and the rollback of what begins to fail.
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/dataset/digit_generator.h"
#include "tests/support/simulated_clock.h"
#include "tests/unit/daemon/registry/registry_fixture.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

class CandidateTest : public RegistryTest {
 protected:
  void LoadCandidate(const std::string& bytes) {
    Write(bytes);
    const auto reloaded = Reload({.candidate = true});
    ASSERT_TRUE(reloaded.ok()) << reloaded.status();
    ASSERT_NE(reloaded->candidate, nullptr);
    candidate_ = reloaded->candidate;
  }
  ModelHandle candidate_;
};

TEST_F(CandidateTest, IsLoadedBesideTheLiveOneWhateverTheGateSays) {
  LoadCandidate(Sevens());
  EXPECT_EQ(*registry_.Find("", ""), first_);
  EXPECT_EQ(*registry_.Find("", "candidate"), candidate_);
  EXPECT_EQ(*registry_.Find("", candidate_->version), candidate_);
  EXPECT_EQ(StateOf(1), "candidate");
  EXPECT_THAT(registry_.Describe("")->versions.at(1).reason, HasSubstr("at least 99 % are needed"));
  EXPECT_EQ(registry_.PromoteVersion("", "", false, kNow).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(*registry_.Find("", ""), first_);
  EXPECT_TRUE(registry_.PromoteVersion("", "", true, kNow)->changed);
}

TEST_F(CandidateTest, IsPromotedAndTheOldOneIsKept) {
  EXPECT_EQ(registry_.PromoteVersion("", "", false, kNow).status().code(), absl::StatusCode::kNotFound);
  LoadCandidate(Shifted(1));
  const auto promoted = registry_.PromoteVersion("", "", false, kNow);
  ASSERT_TRUE(promoted.ok()) << promoted.status();
  EXPECT_EQ((*registry_.Find("", ""))->version, candidate_->version);
  EXPECT_EQ(*registry_.Find("", "previous"), first_);
  EXPECT_EQ(registry_.Find("", "candidate").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(StateOf(0), "live");
  EXPECT_FALSE(Reload()->changed);  // the file is what is live
  EXPECT_EQ(*registry_.Rollback("", kNow), first_);
}

TEST_F(CandidateTest, IsNotMadeLiveByWhoeverWatchesItsFile) {
  LoadCandidate(Shifted(1));
  EXPECT_FALSE(Reload({.automatic = true})->changed);
  EXPECT_EQ(*registry_.Find("", ""), first_);
  ASSERT_TRUE(Reload()->changed);  // somebody asks for it
  EXPECT_EQ(registry_.Find("", "candidate").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(*registry_.Find("", "previous"), first_);
  EXPECT_EQ(*registry_.Rollback("", kNow), first_);
}

TEST_F(CandidateTest, GetsCopiesOfTheShareAndItsAnswersAreCompared) {
  EXPECT_EQ(registry_.SetShadow("", 0.5).code(), absl::StatusCode::kFailedPrecondition);
  LoadCandidate(Sevens());
  EXPECT_EQ(registry_.SetShadow("", 1.5).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(registry_.Bind("", "")->shadow, nullptr);
  ASSERT_TRUE(registry_.SetShadow("", 0.25).ok());
  EXPECT_EQ(registry_.Bind("", first_->version)->shadow, nullptr);  // who names a version wants that one
  const std::shared_ptr<Shadow> shadow = registry_.Bind("", "")->shadow;
  ASSERT_NE(shadow, nullptr);
  int taken = 0;
  for (int i = 0; i < 10; ++i) taken += shadow->Take(2);
  EXPECT_EQ(taken, 5);

  const LabeledImages digits = DigitGenerator(/*seed=*/3).DrawMany(20);
  std::vector<int64_t> expected(10);
  for (size_t i = 0; i < digits.labels.size(); ++i) {
    const uint8_t* pixels = digits.pixels.data() + i * kImagePixels;
    shadow->Offer({pixels, pixels + kImagePixels}, {digits.labels[i]}, absl::Microseconds(5));
    if (digits.labels[i] != 7) ++expected[digits.labels[i]];
    while (shadow->counts().images + shadow->counts().skipped < static_cast<int64_t>(i) + 1) std::this_thread::yield();
  }
  const ShadowCounts counts = shadow->counts();
  EXPECT_EQ(counts.images, 20) << counts.skipped << " skipped";
  EXPECT_EQ(counts.disagreements, expected);
  EXPECT_EQ(counts.live_compute, absl::Microseconds(5) * 20);
  EXPECT_GT(counts.candidate_compute, absl::ZeroDuration());
  EXPECT_EQ(registry_.Describe("")->versions.at(1).shadow, shadow);
  ASSERT_TRUE(registry_.SetShadow("", 0).ok());
  EXPECT_EQ(registry_.Bind("", "")->shadow, nullptr);
}

TEST_F(CandidateTest, ThatFailsIsCountedAndHarmsNobody) {
  LoadCandidate(Shifted(1));
  ASSERT_TRUE(registry_.SetShadow("", 1).ok());
  const std::shared_ptr<Shadow> shadow = registry_.Bind("", "")->shadow;
  engines_.broken[candidate_->model->identity] = true;
  shadow->Offer(std::vector<uint8_t>(kImagePixels, 1), {3}, absl::Microseconds(5));
  while (shadow->counts().failed + shadow->counts().skipped == 0) std::this_thread::yield();
  EXPECT_EQ(shadow->counts().failed, 1);
  EXPECT_EQ(*registry_.Find("", ""), first_);
}

TEST_F(CandidateTest, ThatFailsWhileTheGateAsksItIsNotPromotedByForceEither) {
  LoadCandidate(Shifted(1));
  engines_.broken[candidate_->model->identity] = true;
  EXPECT_EQ(registry_.PromoteVersion("", "", true, kNow).status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(*registry_.Find("", ""), first_);
}

class ProbationTest : public RegistryTest {
 protected:
  void SetUp() override {
    RegistryTest::SetUp();
    ModelRegistry::Options options{.pool = pool_.get(), .probation = absl::Minutes(1), .clock = &clock_};
    models_ = std::make_unique<ModelRegistry>(std::move(options));
    ASSERT_TRUE(models_->Load("mnist", path(), kNow).ok());
    Write(Shifted(1));
    ASSERT_TRUE(models_->Reload("", {}, kNow)->changed);
    second_ = *models_->Find("", "");
  }
  bool Fail(const ModelHandle& model) {
    return models_->RollbackFailing(*model->placed, absl::InternalError("outputs are not finite"), kNow);
  }

  SimulatedClock clock_;
  std::unique_ptr<ModelRegistry> models_;
  ModelHandle second_;
};

TEST_F(ProbationTest, WhatFailsSoonIsRolledBackAndStaysOut) {
  EXPECT_TRUE(Fail(second_));
  EXPECT_NE(*models_->Find("", ""), second_);
  EXPECT_THAT(models_->Describe("")->versions.at(1).reason, HasSubstr("outputs are not finite"));
  EXPECT_FALSE(models_->Reload("", {.automatic = true}, kNow)->changed);
  EXPECT_FALSE(Fail(*models_->Find("", "")));  // there is nothing before it
}

TEST_F(ProbationTest, LaterThereIsNoRollback) {
  clock_.Advance(absl::Seconds(61));
  EXPECT_FALSE(Fail(second_));
  EXPECT_EQ(*models_->Find("", ""), second_);
}

TEST_F(ProbationTest, WhatIsNotLiveIsNotRolledBack) { EXPECT_FALSE(Fail(*models_->Find("", "previous"))); }

}  // namespace
}  // namespace digit
