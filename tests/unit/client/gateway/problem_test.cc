#include "client/gateway/api/problem.h"

#include <map>
#include <string>

#include "base/json.h"
#include "base/retry_after.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using ::testing::Contains;
using ::testing::Pair;

TEST(ProblemTest, TheTableHasEveryCode) {
  const std::map<int, int> expected = {{0, 200},  {1, 499},  {2, 500},  {3, 400},  {4, 504},  {5, 404},
                                       {6, 409},  {7, 403},  {8, 429},  {9, 409},  {10, 409}, {11, 400},
                                       {12, 501}, {13, 500}, {14, 503}, {15, 500}, {16, 401}};
  for (const auto& [code, status] : expected) {
    EXPECT_EQ(HttpStatusOf(static_cast<absl::StatusCode>(code)), status) << code;
    EXPECT_NE(HttpReason(status), "Unknown") << status;
  }
  EXPECT_EQ(HttpStatusOf(static_cast<absl::StatusCode>(99)), 500);
}

TEST(ProblemTest, EveryReasonOfAnImageHasAStatus) {
  const std::map<int, std::pair<int, std::string>> expected = {
      {0, {500, "internal"}},   {1, {422, "no_digit"}}, {2, {400, "undecodable"}}, {3, {413, "too_large"}},
      {4, {429, "overloaded"}}, {5, {504, "expired"}},  {6, {500, "internal"}}};
  ASSERT_EQ(expected.size(), static_cast<size_t>(v1::ErrorReason_descriptor()->value_count()));
  for (const auto& [number, answer] : expected) {
    EXPECT_EQ(HttpStatusOf(static_cast<v1::ErrorReason>(number)), answer.first);
    EXPECT_EQ(NameOf(static_cast<v1::ErrorReason>(number)), answer.second);
  }
}

TEST(ProblemTest, SaysWhenToTryAgainInWholeSecondsRoundedUp) {
  const auto response =
      ProblemOf(WithRetryAfter(absl::ResourceExhaustedError("full"), absl::Milliseconds(1001)), "id-1");
  EXPECT_EQ(response.status, 429);
  EXPECT_EQ(response.content_type, "application/problem+json");
  EXPECT_THAT(response.headers, Contains(Pair("Retry-After", "2")));
}

TEST(ProblemTest, IsJsonWhateverTheTextHolds) {
  const auto response = ProblemOf(absl::InvalidArgumentError("a \"b\"\n\\ \xff é"), "id");
  const json::value value = *ParseJson(response.body, "problem");
  EXPECT_EQ(value.at("detail").as_string(), "a \"b\"?\\ ? é");
  EXPECT_EQ(value.at("status").as_int64(), 400);
  EXPECT_EQ(value.at("title").as_string(), "Bad Request");
  EXPECT_EQ(value.at("code").as_string(), "INVALID_ARGUMENT");
  EXPECT_EQ(value.at("request_id").as_string(), "id");
}

}  // namespace
}  // namespace digit
