#include "base/log.h"

#include "gtest/gtest.h"

namespace digit {
namespace {

TEST(LogTest, WritesKeysAndValues) {
  EXPECT_EQ(FormatLogLine("model live", {{"model", "mnist"}, {"images", 32}}), "model live model=mnist images=32");
}

TEST(LogTest, OneEventStaysOneLineWhateverComesFromOutside) {
  EXPECT_EQ(FormatLogLine("e", {{"a", "x y"}, {"b", "l1\nl2"}, {"c", "say \"hi\""}, {"d", ""}}),
            "e a=\"x y\" b=\"l1\\nl2\" c=\"say \\\"hi\\\"\" d=\"\"");
}

TEST(LogTest, AStatusIsItsMessage) {
  EXPECT_EQ(FormatLogLine("e", {{"error", absl::InternalError("engine failed")}}), "e error=\"engine failed\"");
}

}  // namespace
}  // namespace digit
