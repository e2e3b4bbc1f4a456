#include "base/json.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

TEST(JsonTest, ReadsWhatIsSound) {
  const absl::StatusOr<json::value> value = ParseJson(R"({"a": {"x": 1}, "b": [{"x": 2}, {"x": 3}]})", "it");
  ASSERT_TRUE(value.ok()) << value.status();
  EXPECT_EQ(value->at("b").at(1).at("x"), 3);
}

TEST(JsonTest, ANameThatIsThereTwiceIsRefusedHoweverItIsWritten) {
  for (const char* bad : {R"({"a": 1, "a": 1})", R"({"a": 1, "\u0061": 2})", R"([{"b": {"a": 1, "c": 2, "a": 3}}])"}) {
    const absl::StatusOr<json::value> value = ParseJson(bad, "it");
    EXPECT_EQ(value.status().code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_THAT(std::string(value.status().message()), HasSubstr("it has the name 'a' twice in one object")) << bad;
  }
}

TEST(JsonTest, MoreValuesThanAllowedAreRefused) {
  for (const char* four : {R"([1, "2", null])", R"({"a": 1.5, "b": [true]})", R"([[], {}, ""])"}) {
    EXPECT_TRUE(ParseJson(four, "it", 4).ok()) << four;
    EXPECT_EQ(ParseJson(four, "it", 3).status().message(), "it has more than 3 values") << four;
  }
  std::string many = "[0";
  for (int i = 0; i < kMaxJsonValues; ++i) many += ",0";
  EXPECT_THAT(std::string(ParseJson(many + "]", "it").status().message()), HasSubstr("1000000 values"));
}

TEST(JsonTest, WhatIsNoJsonOrTooDeepIsRefused) {
  const std::string deep = std::string(33, '[') + std::string(33, ']');
  for (const std::string& bad : {std::string(), std::string("{"), std::string("{} x"), std::string("[1]\0", 4), deep,
                                 std::string("\"\xff\""), std::string("{'a': 1}"), std::string("NaN")}) {
    EXPECT_EQ(ParseJson(bad, "it").status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
  EXPECT_TRUE(ParseJson(deep.substr(1, 64), "it").ok());
}

}  // namespace
}  // namespace digit
