#include "client/gateway/http/head_rules.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

int StatusOf(absl::string_view head) {
  const auto error = CheckHead(head);
  return error.has_value() ? error->status : 0;
}

std::string Head(absl::string_view fields) { return absl::StrCat("POST /x HTTP/1.1\r\nHost: a\r\n", fields, "\r\n"); }

TEST(HeadRulesTest, WhatPeopleSendPasses) {
  EXPECT_EQ(StatusOf(Head("Content-Length: 5\r\nAccept: */*\r\nX-Empty:\r\n")), 0);
  EXPECT_EQ(StatusOf(Head("Transfer-Encoding: Chunked\r\n")), 0);
  EXPECT_EQ(StatusOf("GET / HTTP/1.0\r\n\r\n"), 0);
  EXPECT_EQ(StatusOf("GET http://a:80/x HTTP/1.1\r\nHost: A:80\r\n\r\n"), 0);
  EXPECT_EQ(StatusOf("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), 0);
}

TEST(HeadRulesTest, WhatTwoProgramsCouldReadInTwoWaysIsRefused) {
  const std::vector<std::string> bad = {
      "GET / HTTP/1.1\nHost: a\n\n",                                // bare LF
      "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",                    // one bare LF
      "GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n",                    // bare CR
      Head("Content-Length: 5\r\nContent-Length: 5\r\n"),           // twice, even the same
      Head("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),  // both
      Head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
      Head("Content-Length: +5\r\n"),
      Head("Content-Length: 0x5\r\n"),
      Head("Content-Length: 5, 5\r\n"),
      Head("Content-Length: -1\r\n"),
      Head("Content-Length:\r\n"),
      Head("Content-Length: 99999999999999999999\r\n"),
      Head("X: a\r\n b\r\n"),  // folded
      Head(" X: a\r\n"),       // folded at once
      Head("X : a\r\n"),       // a name with a space
      Head("X\r\n"),           // no colon
      Head(": a\r\n"),         // no name
      Head(std::string("X: a\0b\r\n", 8)),
      Head("X: a\x01"
           "b\r\n"),
      Head("Host: b\r\n"),       // two Hosts
      "GET / HTTP/1.1\r\n\r\n",  // none
      "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET  HTTP/1.1\r\nHost: a\r\n\r\n",  // no target
      "GET / x HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /\r\nHost: a\r\n\r\n",  // HTTP/0.9
      "GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
      "G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
      " / HTTP/1.1\r\nHost: a\r\n\r\n",
      "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
  };
  for (const std::string& head : bad) EXPECT_EQ(StatusOf(head), 400) << head;
}

TEST(HeadRulesTest, WhatIsNotSpokenHereHasAStatusOfItsOwn) {
  EXPECT_EQ(StatusOf("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 505);
  EXPECT_EQ(StatusOf(Head("Transfer-Encoding: gzip, chunked\r\n")), 501);
  std::string many;
  for (int i = 0; i < kMaxHeaderFields; ++i) absl::StrAppend(&many, "X-", i, ": y\r\n");
  EXPECT_EQ(StatusOf(Head(many)), 431);
  EXPECT_THAT(CheckHead(Head(many))->detail, HasSubstr("100"));
}

}  // namespace
}  // namespace digit
