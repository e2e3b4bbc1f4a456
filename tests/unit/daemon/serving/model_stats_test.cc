#include "daemon/serving/model_stats.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(PopulationStabilityTest, IsZeroForTheSameShares) {
  EXPECT_NEAR(PopulationStability({100, 200, 300}, {100, 200, 300}), 0, 1e-12);
  EXPECT_NEAR(PopulationStability({100, 200, 300}, {200, 400, 600}), 0, 1e-4);
}

TEST(PopulationStabilityTest, IsWhatTheFormulaSays) {
  const double expected = (0.6 - 0.5) * std::log(0.6 / 0.5) + (0.4 - 0.5) * std::log(0.4 / 0.5);
  EXPECT_NEAR(PopulationStability({500'000, 500'000}, {600'000, 400'000}), expected, 1e-5);
}

TEST(PopulationStabilityTest, IsFiniteWhenAClassComesOrGoes) {
  const double gone = PopulationStability({500, 500}, {1000, 0});
  EXPECT_TRUE(std::isfinite(gone));
  EXPECT_GT(gone, 0.25);
  EXPECT_NEAR(PopulationStability({1000, 0}, {500, 500}), gone, 1e-9);
}

TEST(PopulationStabilityTest, AWindowOfAThousandTellsChangeFromChance) {
  std::vector<int64_t> reference(11, 100), chance(11, 100), change(11, 100);
  reference[10] = chance[10] = change[10] = 0;
  for (int i = 0; i < 10; ++i) chance[i] += i % 2 == 0 ? 10 : -10;  // one standard error each
  for (int i = 0; i < 10; ++i) change[i] += i % 2 == 0 ? 60 : -60;
  EXPECT_LT(PopulationStability(reference, chance), 0.1);
  EXPECT_GT(PopulationStability(reference, change), 0.25);
}

ModelStats WithVersions(const std::vector<std::string>& versions) {
  ModelStats stats{.model = "mnist", .labels = {"cat", "dog"}};
  for (const std::string& version : versions) stats.versions.push_back({.version = version});
  return stats;
}

TEST(AddCorrectionsTest, CountsConfirmedAndConfused) {
  ModelStats stats = WithVersions({"2", "1"});
  AddCorrections({{"2", "cat", "cat", 5}, {"2", "cat", "dog", 3}, {"2", "", "dog", 2}, {"2", "dog", "", 1}}, &stats);
  const VersionStats& live = stats.versions[0];
  EXPECT_EQ(live.corrections, 11);
  EXPECT_EQ(live.confirmed, 5);
  EXPECT_THAT(live.confusion, ElementsAre(5, 0, 0,    // cats: answered cat, dog, not a digit
                                          3, 0, 2,    // dogs
                                          0, 1, 0));  // neither
  EXPECT_EQ(stats.versions[1].corrections, 0);
  EXPECT_THAT(stats.versions[1].confusion, IsEmpty());
}

TEST(AddCorrectionsTest, VersionsThatAreGoneFollowTheMostCorrectedFirstAndAreBounded) {
  ModelStats stats = WithVersions({"live"});
  std::vector<FeedbackStore::AnswerCount> counts;
  for (int i = 0; i < 50; ++i) counts.push_back({absl::StrCat("v", i), "cat", "dog", i});
  AddCorrections(counts, &stats);
  ASSERT_EQ(stats.versions.size(), 1 + kMaxCorrectedVersions);
  EXPECT_EQ(stats.versions[0].version, "live");
  EXPECT_EQ(stats.versions[1].version, "v49");
  EXPECT_EQ(stats.versions[2].version, "v48");
}

TEST(AddCorrectionsTest, LabelsThatTheModelHasNotAreLeftOut) {
  ModelStats stats = WithVersions({"1"});
  AddCorrections({{"1", "cow", "cat", 5}, {"1", "cat", "cow", 5}, {"gone", "cow", "cow", 5}}, &stats);
  ASSERT_EQ(stats.versions.size(), 1u);
  EXPECT_EQ(stats.versions[0].corrections, 0);
}

TEST(AddCorrectionsTest, AMatrixThatNobodyCanReadIsLeftOut) {
  ModelStats stats = WithVersions({"1"});
  stats.labels.clear();
  for (size_t i = 0; i <= kMaxConfusionLabels; ++i) stats.labels.push_back(absl::StrCat(i));
  AddCorrections({{"1", "3", "5", 2}}, &stats);
  EXPECT_EQ(stats.versions[0].corrections, 2);
  EXPECT_THAT(stats.versions[0].confusion, IsEmpty());
}

}  // namespace
}  // namespace digit
