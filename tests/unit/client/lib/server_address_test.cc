#include "client/lib/server_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace digit {
namespace {

using ::testing::HasSubstr;

TEST(ServerAddressTest, TakesHostsAndAddresses) {
  for (const auto& [text, host, port] :
       std::vector<std::tuple<std::string, std::string, int>>{{"127.0.0.1:50051", "127.0.0.1", 50051},
                                                              {"digits.example:1", "digits.example", 1},
                                                              {"[::1]:65535", "::1", 65535}}) {
    absl::StatusOr<ServerAddress> address = ParseServerAddress(text);
    ASSERT_TRUE(address.ok()) << text << ": " << address.status();
    EXPECT_EQ(address->host, host);
    EXPECT_EQ(address->port, port);
  }
}

TEST(ServerAddressTest, SaysWhatIsWrong) {
  for (const auto& [text, why] : std::vector<std::pair<std::string, std::string>>{{"", "port is missing"},
                                                                                  {"localhost", "port is missing"},
                                                                                  {":50051", "host is missing"},
                                                                                  {"[]:1", "host is missing"},
                                                                                  {"a:0", "1 to 65535"},
                                                                                  {"a:65536", "1 to 65535"},
                                                                                  {"a:b", "1 to 65535"},
                                                                                  {"a:", "1 to 65535"},
                                                                                  {"::1:50051", "needs brackets"},
                                                                                  {"[::1:50051", "needs brackets"},
                                                                                  {"http://a:80", "has a scheme"},
                                                                                  {"a b:80", "wrong character"}}) {
    absl::StatusOr<ServerAddress> address = ParseServerAddress(text);
    ASSERT_FALSE(address.ok()) << text;
    EXPECT_EQ(address.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(address.status().message()), HasSubstr(why)) << text;
    EXPECT_THAT(std::string(address.status().message()), HasSubstr("'" + text + "'"));
  }
}

TEST(ServerAddressTest, KnowsLoopback) {
  EXPECT_TRUE(IsLoopback("127.0.0.1"));
  EXPECT_TRUE(IsLoopback("localhost"));
  EXPECT_TRUE(IsLoopback("::1"));
  EXPECT_FALSE(IsLoopback("10.0.0.1"));
  EXPECT_FALSE(IsLoopback("localhost.example"));
  EXPECT_FALSE(IsLoopback("127.0.0.1.example"));
}

}  // namespace
}  // namespace digit
