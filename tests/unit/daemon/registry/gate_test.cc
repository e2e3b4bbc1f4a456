#include "daemon/registry/gate.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_engine.h"

namespace digit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(McNemarTest, IsTheExactBinomialTest) {
  EXPECT_EQ(McNemarP(0, 0), 1);
  EXPECT_EQ(McNemarP(3, 3), 1);
  EXPECT_NEAR(McNemarP(5, 0), 2 * 1.0 / 32, 1e-12);
  EXPECT_NEAR(McNemarP(0, 5), McNemarP(5, 0), 1e-12);
  EXPECT_NEAR(McNemarP(8, 2), 2 * (1 + 10 + 45) / 1024.0, 1e-12);
  EXPECT_LT(McNemarP(4000, 3000), 1e-30);  // no overflow
}

// 1,000 pictures, 100 of each class; the live version is right on all but the first `live_wrong` of class 0, the
// candidate on all but the first `candidate_wrong` of class `of`.
absl::Status JudgeErrors(int live_wrong, int of, int candidate_wrong, GateReport* report) {
  std::vector<uint8_t> labels;
  std::vector<int> live, candidate;
  for (int c = 0; c < 10; ++c) {
    for (int i = 0; i < 100; ++i) {
      labels.push_back(static_cast<uint8_t>(c));
      live.push_back(c == 0 && i < live_wrong ? 9 - c : c);
      candidate.push_back(c == of && i < candidate_wrong ? 9 - c : c);
    }
  }
  return Judge(labels, live, candidate, report);
}

TEST(JudgeTest, LetsInWhatIsAsGoodOrBetter) {
  GateReport report;
  EXPECT_TRUE(JudgeErrors(5, 0, 5, &report).ok());
  EXPECT_TRUE(JudgeErrors(9, 3, 1, &report).ok());
  EXPECT_EQ(report.live_right, 991);
  EXPECT_EQ(report.candidate_right, 999);
  EXPECT_EQ(report.worse, 1);
  EXPECT_EQ(report.better, 9);
  EXPECT_THAT(report.ToString(), HasSubstr("99.90 % of 1000 labelled pictures, the live version 99.10 %"));
}

TEST(JudgeTest, RefusesWhatIsSignificantlyWorse) {
  GateReport report;
  const absl::Status status = JudgeErrors(0, 0, 6, &report);  // 6 against 0: p = 0.03
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("worse"));
}

TEST(JudgeTest, RefusesAClassThatFallsByMoreThanAPoint) {
  GateReport report;
  EXPECT_TRUE(JudgeErrors(9, 4, 1, &report).ok());
  const absl::Status status = JudgeErrors(9, 4, 2, &report);  // better in all, worse on fours
  EXPECT_THAT(std::string(status.message()), HasSubstr("class 4 falls from 100.00 % to 98.00 %"));
}

TEST(JudgeTest, WithoutLabelsAsksForAgreement) {
  GateReport report;
  std::vector<int> live(1000, 3), candidate(1000, 3);
  std::fill_n(candidate.begin(), 10, 4);
  EXPECT_TRUE(Judge({}, live, candidate, &report).ok());
  EXPECT_THAT(report.ToString(), HasSubstr("99.00 % agreement with the live version on 1000 generated digits"));
  candidate[10] = 4;
  EXPECT_THAT(std::string(Judge({}, live, candidate, &report).message()), HasSubstr("98.90 % agreement"));
}

TEST(ClassesOfTest, RunsInBatchesAndRefusesWhatIsNotFinite) {
  FakeEngineFactory engines;
  const auto engine = *engines.Create(FakeModel(), Device{});
  std::vector<uint8_t> pixels(size_t{40} * kImagePixels);
  for (int i = 0; i < 40; ++i) pixels[size_t{1} * i * kImagePixels] = static_cast<uint8_t>(i);
  int rests = 0;
  const auto classes = ClassesOf(*engine, pixels, [&] { ++rests; });
  ASSERT_TRUE(classes.ok());
  EXPECT_EQ(classes->size(), 40u);
  EXPECT_EQ(classes->at(39), 9);
  EXPECT_THAT(engines.control().batch_sizes(), ElementsAre(8, 8, 8, 8, 8));
  EXPECT_EQ(rests, 5);
  engines.control().set_behaviour(FakeEngineControl::Behaviour::kNan);
  EXPECT_THAT(std::string(ClassesOf(*engine, pixels, [] {}).status().message()), HasSubstr("not finite"));
}

}  // namespace
}  // namespace digit
