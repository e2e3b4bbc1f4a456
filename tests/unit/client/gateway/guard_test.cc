#include "client/gateway/api/guard.h"

#include <string>

#include "gtest/gtest.h"

namespace digit {
namespace {

HttpRequest Request(HttpHeaders headers) {
  HttpRequest request;
  request.method = "POST";
  request.headers = std::move(headers);
  return request;
}

int StatusOf(const Guard& guard, HttpHeaders headers, Access access) {
  const auto refusal = guard.Check(Request(std::move(headers)), access);
  return refusal.has_value() ? refusal->status : 0;
}

Guard OnLoopback() { return Guard(Guard::Options()); }

Guard Remote() {
  Guard::Options options;
  options.listens_on_loopback = false;
  return Guard(options);
}

TEST(GuardTest, ALoopbackGatewayAnswersOnlyToItsOwnNames) {
  for (const char* host : {"localhost", "localhost:8080", "127.0.0.1:1", "[::1]:8080", "127.3.2.1"}) {
    EXPECT_EQ(StatusOf(OnLoopback(), {{"Host", host}}, Access::kRead), 0) << host;
  }
  for (const char* host : {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "[::2]"}) {
    EXPECT_EQ(StatusOf(OnLoopback(), {{"Host", host}}, Access::kRead), 421) << host;
  }
  EXPECT_EQ(StatusOf(Remote(), {{"Host", "any.example"}}, Access::kRead), 0);
  Guard::Options options;
  options.hosts = {"digits.example"};
  const Guard named(options);
  EXPECT_EQ(StatusOf(named, {{"Host", "Digits.example:80"}}, Access::kRead), 0);
  EXPECT_EQ(StatusOf(named, {{"Host", "localhost"}}, Access::kRead), 421);
}

TEST(GuardTest, PagesOfOthersMayNotAskUnlessTheyAreNamed) {
  const HttpHeaders other = {{"Host", "localhost:8080"}, {"Origin", "https://a.example"}};
  const HttpHeaders own = {{"Host", "localhost:8080"}, {"Origin", "http://localhost:8080"}};
  EXPECT_EQ(StatusOf(OnLoopback(), other, Access::kRecognize), 403);
  EXPECT_EQ(StatusOf(OnLoopback(), own, Access::kRecognize), 0);
  EXPECT_EQ(StatusOf(OnLoopback(), {{"Host", "localhost"}, {"Origin", "null"}}, Access::kRecognize), 403);
  EXPECT_EQ(StatusOf(OnLoopback(), {{"Host", "localhost"}, {"Sec-Fetch-Site", "cross-site"}}, Access::kRecognize), 403);
  EXPECT_EQ(StatusOf(OnLoopback(), {{"Host", "localhost"}, {"Sec-Fetch-Site", "same-origin"}}, Access::kRecognize), 0);
  Guard::Options options;
  options.origins = {"https://a.example"};
  const Guard named(options);
  EXPECT_EQ(StatusOf(named, other, Access::kRecognize), 0);
  EXPECT_EQ(named.CorsHeaders("https://a.example").at(0).second, "https://a.example");
  EXPECT_TRUE(named.CorsHeaders("http://localhost:8080").empty());
  EXPECT_TRUE(OnLoopback().CorsHeaders("https://a.example").empty());
}

TEST(GuardTest, WhatChangesSomethingIsJsonWhichNoFormSends) {
  for (const char* type : {"application/x-www-form-urlencoded", "multipart/form-data; boundary=a", "text/plain", " "}) {
    for (const Access access : {Access::kChange, Access::kAdmin}) {
      EXPECT_EQ(StatusOf(OnLoopback(), {{"Host", "localhost"}, {"Content-Type", type}}, access), 415) << type;
    }
    EXPECT_EQ(StatusOf(OnLoopback(), {{"Host", "localhost"}, {"Content-Type", type}}, Access::kRecognize), 0) << type;
  }
  EXPECT_EQ(StatusOf(OnLoopback(), {{"Host", "localhost"}, {"Content-Type", "application/json"}}, Access::kAdmin), 0);
}

TEST(GuardTest, AProgramNeedNotNameAType) {
  EXPECT_EQ(StatusOf(OnLoopback(), {{"Host", "localhost"}}, Access::kAdmin), 0);
  EXPECT_EQ(StatusOf(OnLoopback(), {{"Host", "localhost"}, {"Origin", "http://localhost"}}, Access::kAdmin), 415);
  EXPECT_EQ(StatusOf(OnLoopback(), {{"Host", "localhost"}, {"Sec-Fetch-Site", "none"}}, Access::kAdmin), 415);
  EXPECT_EQ(StatusOf(OnLoopback(), {{"Host", "localhost"}, {"Origin", "null"}}, Access::kAdmin), 403);
}

TEST(GuardTest, FromElsewhereAdminsSendTheirToken) {
  const HttpHeaders json = {{"Host", "h"}, {"Content-Type", "application/json"}};
  HttpHeaders with_token = json;
  with_token.emplace_back("Authorization", "bearer x");
  for (const Access access : {Access::kAdmin, Access::kAdminRead}) {
    EXPECT_EQ(StatusOf(Remote(), json, access), 401);
    EXPECT_EQ(StatusOf(Remote(), with_token, access), 0);
  }
  EXPECT_EQ(StatusOf(Remote(), json, Access::kChange), 0);
}

}  // namespace
}  // namespace digit
