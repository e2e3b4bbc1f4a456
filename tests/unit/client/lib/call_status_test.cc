#include "client/lib/call_status.h"

#include <gtest/gtest.h>

namespace digit {
namespace {

using grpc::StatusCode;

std::string Text(StatusCode code, const std::string& message, bool connected = true) {
  return std::string(ToClientStatus({code, message}, "h:1", absl::Seconds(10), connected).message());
}

TEST(CallStatusTest, ARefusedConnectionNamesServerAndRemedy) {
  EXPECT_EQ(Text(StatusCode::UNAVAILABLE,
                 "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Failed to connect to "
                 "remote host: Connection refused"),
            "cannot reach h:1: connection refused. Is digitd running? Start it with: digitd --model mnist.pt");
}

TEST(CallStatusTest, OtherConnectionProblemsNameTheirCause) {
  EXPECT_EQ(Text(StatusCode::UNAVAILABLE, "DNS resolution failed for h:1: C-ares status is not ARES_SUCCESS"),
            "cannot reach h:1: the host name does not resolve");
  EXPECT_EQ(Text(StatusCode::UNAVAILABLE,
                 "failed to connect to all addresses; last error: UNKNOWN: ipv4:10.0.0.1:1: Failed to connect to "
                 "remote host: No route to host"),
            "cannot reach h:1: no route to host");
  EXPECT_EQ(Text(StatusCode::UNAVAILABLE, "Socket closed"),
            "cannot reach h:1: the connection broke. Is digitd running? Start it with: digitd --model mnist.pt");
}

TEST(CallStatusTest, TheServersOwnWordsArePassedOn) {
  EXPECT_EQ(Text(StatusCode::UNAVAILABLE, "draining"), "h:1 says: draining");
  EXPECT_EQ(Text(StatusCode::NOT_FOUND, "model 'x' is not loaded"), "h:1 says: model 'x' is not loaded");
  EXPECT_EQ(Text(StatusCode::INTERNAL, ""), "h:1 says: INTERNAL");
}

TEST(CallStatusTest, ATimeoutTellsASlowServerFromNone) {
  EXPECT_EQ(Text(StatusCode::DEADLINE_EXCEEDED, "Deadline Exceeded"), "no answer from h:1 within 10s");
  EXPECT_EQ(Text(StatusCode::DEADLINE_EXCEEDED, "Deadline Exceeded", false),
            "cannot reach h:1: no connection within 10s");
}

TEST(CallStatusTest, AnotherServiceIsCalledSo) {
  EXPECT_EQ(Text(StatusCode::UNIMPLEMENTED, ""),
            "h:1 does not know this call: it is not a digitd, or one of another version");
}

TEST(CallStatusTest, KeepsTheCode) {
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status =
        ToClientStatus({static_cast<StatusCode>(code), "m"}, "h:1", absl::Seconds(1), /*connected=*/true);
    EXPECT_EQ(static_cast<int>(status.code()), code);
  }
  EXPECT_TRUE(ToClientStatus(grpc::Status::OK, "h:1", absl::Seconds(1), true).ok());
}

}  // namespace
}  // namespace digit
