#include "client/ctl/bench/sweep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace digit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(SweepTest, ANumberAListAndRanges) {
  EXPECT_THAT(*ParseSweep("64", 1000), ElementsAre(64));
  EXPECT_THAT(*ParseSweep("8,1,8", 1000), ElementsAre(8, 1, 8));
  EXPECT_THAT(*ParseSweep("1:64:2x", 1000), ElementsAre(1, 2, 4, 8, 16, 32, 64));
  EXPECT_THAT(*ParseSweep("8:32:8", 1000), ElementsAre(8, 16, 24, 32));
}

TEST(SweepTest, ARangeAlwaysEndsWithItsEnd) {
  EXPECT_THAT(*ParseSweep("1:100:10x", 1000), ElementsAre(1, 10, 100));
  EXPECT_THAT(*ParseSweep("1:20:3x", 1000), ElementsAre(1, 3, 9, 20));
  EXPECT_THAT(*ParseSweep("1:6:2", 1000), ElementsAre(1, 3, 5, 6));
  EXPECT_THAT(*ParseSweep("5:5:2x", 1000), ElementsAre(5));
}

TEST(SweepTest, StepsNearTheLargestNumberDoNotOverflow) {
  const int64_t most = std::numeric_limits<int64_t>::max();
  EXPECT_THAT(*ParseSweep("1:9223372036854775807:9223372036854775807x", most), ElementsAre(1, most));
  EXPECT_THAT(*ParseSweep("9223372036854775806:9223372036854775807:5", most), ElementsAre(most - 1, most));
}

TEST(SweepTest, WhatIsWrongIsQuotedAndSaid) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "no whole number"},     {"x", "'x' is no whole number"}, {"1,,2", "no whole number"},
      {"0", "not within 1 to 99"}, {"100", "not within 1 to 99"},   {"-1", "not within"},
      {"1:2", "three parts"},      {"1:2:3:4", "three parts"},      {"9:1:2x", "goes down"},
      {"1:9:1x", "the step"},      {"1:9:0", "the step"},           {"1:9:x", "the step"},
      {"1:9:", "the step"},        {"1.5", "no whole number"}};
  for (const auto& [text, why] : cases) {
    const auto result = ParseSweep(text, 99);
    ASSERT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(result.status().message()), HasSubstr(why)) << text;
    EXPECT_THAT(std::string(result.status().message()), HasSubstr(std::string("'") + text + "'"));
  }
  EXPECT_THAT(std::string(ParseSweep("1:1000:1", 1000).status().message()), HasSubstr("more than 100 points"));
}

TEST(PercentTest, IsAShareAboveNothing) {
  EXPECT_DOUBLE_EQ(*ParsePercent("5%"), 0.05);
  EXPECT_DOUBLE_EQ(*ParsePercent("0.5%"), 0.005);
  for (const char* text : {"5", "%", "0%", "-1%", "101%", "nan%", "inf%", "5 percent"}) {
    EXPECT_FALSE(ParsePercent(text).ok()) << text;
  }
}

}  // namespace
}  // namespace digit
