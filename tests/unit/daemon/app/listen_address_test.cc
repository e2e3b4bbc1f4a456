#include "daemon/app/listen_address.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

TEST(ListenAddressTest, AFreeAddressIsFine) {
  EXPECT_TRUE(CheckListenAddress("127.0.0.1:0").ok());
  EXPECT_TRUE(CheckListenAddress("localhost:0").ok());
  EXPECT_TRUE(CheckListenAddress("0.0.0.0:0").ok());
}

TEST(ListenAddressTest, ATakenPortIsNamed) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(fd, 1), 0);
  ASSERT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::string port = std::to_string(ntohs(address.sin_port));
  const absl::Status status = CheckListenAddress("127.0.0.1:" + port);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("port " + port + " is taken"));
  ::close(fd);
}

TEST(ListenAddressTest, OtherFlagsAreNamedAndMayWantIpv4) {
  EXPECT_TRUE(CheckListenAddress("localhost:0", "--metrics-listen", IpVersion::kFour).ok());
  const absl::Status status = CheckListenAddress("[::1]:0", "--metrics-listen", IpVersion::kFour);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("cannot listen on [::1]:0: '::1' is no IPv4 address"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("choose another address with --metrics-listen HOST:PORT"));
}

TEST(ListenAddressTest, AnAddressOfAnotherMachineIsSaidToBe) {
  const absl::Status status = CheckListenAddress("192.0.2.1:50051");  // RFC 5737: for documentation only
  EXPECT_THAT(std::string(status.message()), HasSubstr("192.0.2.1:50051: this machine has no such address"));
}

TEST(ListenAddressTest, WhatIsNoHostIsSaidToBe) {
  EXPECT_THAT(std::string(CheckListenAddress("[::zz]:1").message()), HasSubstr("'::zz' is no address"));
}

}  // namespace
}  // namespace digit
