#include "client/gateway/api/url.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using ::testing::ElementsAre;

TEST(UrlTest, DecodesSegmentsAndQuery) {
  const Url url = *ParseUrl("/v1/models/a%3Ab%2Fc:recognize?version=x%20y+z&flag&include=timing");
  EXPECT_THAT(url.segments, ElementsAre("v1", "models", "a:b/c:recognize"));
  EXPECT_EQ(url.parameter("version"), "x y z");
  EXPECT_EQ(url.parameter("include"), "timing");
  EXPECT_EQ(url.parameter("flag"), "");
  EXPECT_EQ(url.parameter("none"), "");
  EXPECT_THAT(ParseUrl("/%E6%95%B0")->segments, ElementsAre("\u6570"));
  EXPECT_THAT(ParseUrl("/")->segments, ElementsAre(""));
  EXPECT_THAT(ParseUrl("/a//../b")->segments, ElementsAre("a", "", "..", "b"));
}

TEST(UrlTest, RefusesBrokenEscapesWhatIsNotUtf8AndNamesThatComeTwice) {
  for (const char* bad : {"/%", "/%1", "/%zz", "/a%00b", "/?a=%", "/?%4=1", "/%ff", "/?a=%c3", "/?a=1&b=2&%61=1"})
    EXPECT_FALSE(ParseUrl(bad).ok()) << bad;
}

}  // namespace
}  // namespace digit
