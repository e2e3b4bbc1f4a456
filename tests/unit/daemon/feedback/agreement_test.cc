#include "daemon/feedback/agreement.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using ::testing::ElementsAre;

constexpr CorrectionState kPending = CorrectionState::kPending, kAccepted = CorrectionState::kAccepted,
                          kRejected = CorrectionState::kRejected;

std::vector<CorrectionState> StatesOf(const std::vector<Claim>& claims) {
  std::vector<CorrectionState> states;
  for (const Claim& claim : claims) states.push_back(claim.state);
  return states;
}

std::vector<CorrectionState> Settled(int agreement, std::vector<Claim> claims) {
  Settle(agreement, &claims);
  return StatesOf(claims);
}

TEST(AgreementTest, EnoughSourcesThatSayTheSameAreBelieved) {
  EXPECT_THAT(Settled(2, {{"7"}}), ElementsAre(kPending));
  EXPECT_THAT(Settled(2, {{"7"}, {"7"}}), ElementsAre(kAccepted, kAccepted));
  EXPECT_THAT(Settled(3, {{"7"}, {"7"}}), ElementsAre(kPending, kPending));
  EXPECT_THAT(Settled(1, {{""}}), ElementsAre(kAccepted));
}

TEST(AgreementTest, ZeroBelievesNobody) { EXPECT_THAT(Settled(0, {{"7"}, {"7"}}), ElementsAre(kPending, kPending)); }

TEST(AgreementTest, AContradictionTakesTheBeliefBack) {
  EXPECT_THAT(Settled(2, {{"7", kAccepted}, {"7", kAccepted}, {"1"}}), ElementsAre(kPending, kPending, kPending));
  EXPECT_THAT(Settled(2, {{"7"}, {"7"}, {""}, {""}}), ElementsAre(kPending, kPending, kPending, kPending));
}

TEST(AgreementTest, WhatAPersonHasRejectedDoesNotContradict) {
  EXPECT_THAT(Settled(2, {{"7"}, {"7"}, {"1", kRejected, true}}), ElementsAre(kAccepted, kAccepted, kRejected));
}

TEST(AgreementTest, ALaterClaimFollowsTheReviewOfItsTruth) {
  EXPECT_THAT(Settled(0, {{"7", kAccepted, true}, {"7"}}), ElementsAre(kAccepted, kAccepted));
  EXPECT_THAT(Settled(2, {{"7", kRejected, true}, {"7"}, {"7"}}), ElementsAre(kRejected, kRejected, kRejected));
  std::vector<Claim> claims = {{"7", kRejected, true}, {"7"}};
  Settle(0, &claims);
  EXPECT_TRUE(claims[1].reviewed);
}

TEST(AgreementTest, ALaterClaimAgainstAReviewWaitsForAPerson) {
  EXPECT_THAT(Settled(2, {{"7", kAccepted, true}, {"1"}, {"1"}}), ElementsAre(kAccepted, kPending, kPending));
}

TEST(ReviewTest, HoldsForAllThatSayTheSame) {
  std::vector<Claim> claims = {{"7"}, {"7"}, {"1"}};
  Review(0, kRejected, 0, &claims);
  EXPECT_THAT(StatesOf(claims), ElementsAre(kRejected, kRejected, kPending));
}

TEST(ReviewTest, AcceptingRejectsWhatContradictsAlsoAnEarlierReview) {
  std::vector<Claim> claims = {{"7"}, {"1"}, {"", kAccepted, true}};
  Review(0, kAccepted, 0, &claims);
  EXPECT_THAT(StatesOf(claims), ElementsAre(kAccepted, kRejected, kRejected));
}

TEST(ReviewTest, RejectingMayMakeTheOthersAgree) {
  std::vector<Claim> claims = {{"7"}, {"1"}, {"7"}};
  Review(1, kRejected, 2, &claims);
  EXPECT_THAT(StatesOf(claims), ElementsAre(kAccepted, kRejected, kAccepted));
}

TEST(ReviewTest, IsTakenBackByPending) {
  std::vector<Claim> claims = {{"7", kAccepted, true}, {"7", kAccepted, true}};
  Review(0, kPending, 0, &claims);
  EXPECT_THAT(StatesOf(claims), ElementsAre(kPending, kPending));
  Review(0, kPending, 2, &claims);  // what is not reviewed may be agreed on
  EXPECT_THAT(StatesOf(claims), ElementsAre(kAccepted, kAccepted));
  EXPECT_FALSE(claims[0].reviewed);
}

TEST(ReviewTest, NoAgreementUndoesIt) {
  std::vector<Claim> claims = {{"7", kRejected, true}, {"7"}, {"7"}, {"7"}};
  Settle(2, &claims);
  EXPECT_THAT(StatesOf(claims), ElementsAre(kRejected, kRejected, kRejected, kRejected));
}

}  // namespace
}  // namespace digit
