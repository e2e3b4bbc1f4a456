#include "client/gateway/http/request_reader.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using State = RequestReader::State;
using ::testing::HasSubstr;

constexpr char kPost[] = "POST /a?b=c HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nX-One: 1\r\n\r\nhello";
constexpr char kChunked[] =
    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nHost: "
    "evil\r\n\r\n";

// In pieces of `step` bytes.
State Feed(RequestReader* reader, const std::string& all, size_t step, std::string* rest) {
  State state = State::kHead;
  for (size_t i = 0; i < all.size(); i += step) {
    *rest += all.substr(i, step);
    state = reader->Read(rest);
    if (state == State::kFailed) break;
    if (state == State::kDone) {
      if (i + step < all.size()) *rest += all.substr(i + step);
      break;
    }
  }
  return state;
}

TEST(RequestReaderTest, ReadsARequestHoweverItIsCut) {
  for (size_t step = 1; step <= sizeof(kPost); ++step) {
    RequestReader reader({});
    std::string rest;
    ASSERT_EQ(Feed(&reader, kPost, step, &rest), State::kDone) << step << reader.error().detail;
    EXPECT_EQ(reader.request().method, "POST");
    EXPECT_EQ(reader.request().target, "/a?b=c");
    EXPECT_EQ(reader.request().body, "hello");
    EXPECT_EQ(reader.request().header("x-ONE"), "1");
    EXPECT_TRUE(reader.request().keep_alive);
    EXPECT_EQ(rest, "");
  }
}

TEST(RequestReaderTest, ReadsChunksHoweverTheyAreCutAndTakesNoFieldsFromTheTrailer) {
  for (size_t step = 1; step <= sizeof(kChunked); ++step) {
    RequestReader reader({});
    std::string rest;
    ASSERT_EQ(Feed(&reader, kChunked, step, &rest), State::kDone) << step << reader.error().detail;
    EXPECT_EQ(reader.request().body, "abcde");
    EXPECT_EQ(reader.request().header("host"), "h");
    EXPECT_EQ(reader.request().headers.size(), 2u);
  }
}

TEST(RequestReaderTest, LeavesTheNextRequestAlone) {
  std::string bytes = std::string(kPost) + kChunked + "GET / HTTP/1.0\r\n\r\n";
  RequestReader first({}), second({}), third({});
  EXPECT_EQ(first.Read(&bytes), State::kDone);
  EXPECT_EQ(second.Read(&bytes), State::kDone) << second.error().detail;
  EXPECT_EQ(second.request().body, "abcde");
  EXPECT_EQ(third.Read(&bytes), State::kDone);
  EXPECT_EQ(third.request().method, "GET");
  EXPECT_FALSE(third.request().keep_alive);
  EXPECT_TRUE(third.request().is_http_1_0);
  EXPECT_EQ(bytes, "");
}

struct Bad {
  std::string bytes;
  int status;
};

TEST(RequestReaderTest, RefusesBadChunksAndWhatIsTooLong) {
  const std::string chunked = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  const HttpLimits limits{.max_head_bytes = 200, .max_body_bytes = 10};
  for (const Bad& bad :
       {Bad{chunked + "0x3\r\nabc\r\n0\r\n\r\n", 400}, Bad{chunked + "-3\r\nabc\r\n0\r\n\r\n", 400},
        Bad{chunked + "+3\r\nabc\r\n0\r\n\r\n", 400}, Bad{chunked + " 3\r\nabc\r\n0\r\n\r\n", 400},
        Bad{chunked + "3\nabc\n0\n\n", 400}, Bad{chunked + "3\r\nabcd\r\n0\r\n\r\n", 400},
        Bad{chunked + "fffffffffffffffff\r\nabc\r\n0\r\n\r\n", 400}, Bad{chunked + "\r\n\r\n", 400},
        Bad{chunked + "b\r\nabcdefghijk\r\n0\r\n\r\n", 413},
        Bad{chunked + "6\r\nabcdef\r\n6\r\nabcdef\r\n0\r\n\r\n", 413}, Bad{chunked + "3;" + std::string(300, 'x'), 400},
        Bad{chunked + "3;" + std::string(1100, 'x') + "\r\nabc\r\n0\r\n\r\n", 400},
        Bad{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n", 413}, Bad{"GET /" + std::string(300, 'x'), 431},
        Bad{"GET / HTTP/1.1\nHost: h\n\n", 400}}) {
    RequestReader reader(limits);
    std::string bytes = bad.bytes;
    EXPECT_EQ(reader.Read(&bytes), State::kFailed) << bad.bytes;
    EXPECT_EQ(reader.error().status, bad.status) << bad.bytes << " " << reader.error().detail;
    if (bad.status == 413) {
      EXPECT_EQ(reader.error().target, "/");
    }
    EXPECT_NE(reader.error().detail, "");
  }
}

TEST(RequestReaderTest, SaysWhenTheClientWaitsForLeaveToSendItsBody) {
  RequestReader reader({});
  std::string bytes = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
  EXPECT_EQ(reader.Read(&bytes), State::kBody);
  EXPECT_TRUE(reader.expects_continue());
  bytes += "ab";
  EXPECT_EQ(reader.Read(&bytes), State::kDone);
  RequestReader old({});  // HTTP/1.0 does not know it
  bytes = "POST / HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
  EXPECT_EQ(old.Read(&bytes), State::kBody);
  EXPECT_FALSE(old.expects_continue());
}

}  // namespace
}  // namespace digit
