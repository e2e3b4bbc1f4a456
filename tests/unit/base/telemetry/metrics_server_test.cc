#include "base/telemetry/metrics_server.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

int Connect(const std::string& address) {
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  server.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&server), sizeof(server)), 0);
  return fd;
}

// The whole answer, head and body.
std::string Get(const std::string& address, const std::string& path) {
  const int fd = Connect(address);
  const std::string request = "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n";
  EXPECT_EQ(::send(fd, request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
  std::string answer;
  char buffer[4096];
  for (ssize_t n; (n = ::recv(fd, buffer, sizeof(buffer), 0)) > 0;) answer.append(buffer, static_cast<size_t>(n));
  ::close(fd);
  return answer;
}

TEST(MetricsServerTest, ShowsWhatIsCountedInPrometheusFormat) {
  MetricRegistry metrics;
  metrics.AddCounters("digit_things_total", "Things.", {"model", "kind"}).With({"a\"b\\c", "x"}).Add(3);
  Histogram& sizes = metrics.AddHistograms("digit_size", "Sizes.", {"model"}, {.bounds = {1, 2}}).With({"m"});
  for (const int size : {1, 2, 2, 9}) sizes.Observe(size);
  metrics.AddPulled(MetricType::kGauge, "digit_open", "Open.", {}, [](Samples* samples) { samples->Set({}, 0.25); });
  auto server = MetricsServer::Start(&metrics, "127.0.0.1:0");
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_THAT((*server)->address(), MatchesRegex("127\\.0\\.0\\.1:[1-9][0-9]*"));

  const std::string answer = Get((*server)->address(), "/metrics");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain"));
  EXPECT_THAT(answer, HasSubstr("# HELP digit_things_total Things.\n"
                                "# TYPE digit_things_total counter\n"
                                "digit_things_total{model=\"a\\\"b\\\\c\",kind=\"x\"} 3\n"
                                "# HELP digit_size Sizes.\n"
                                "# TYPE digit_size histogram\n"
                                "digit_size_count{model=\"m\"} 4\n"
                                "digit_size_sum{model=\"m\"} 14\n"
                                "digit_size_bucket{model=\"m\",le=\"1\"} 1\n"
                                "digit_size_bucket{model=\"m\",le=\"2\"} 3\n"
                                "digit_size_bucket{model=\"m\",le=\"+Inf\"} 4\n"
                                "# HELP digit_open Open.\n"
                                "# TYPE digit_open gauge\n"
                                "digit_open 0.25\n"));
}

TEST(MetricsServerTest, HasNothingElseToShow) {
  MetricRegistry metrics;
  auto server = MetricsServer::Start(&metrics, "localhost:0");
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_THAT((*server)->address(), StartsWith("localhost:"));
  for (const char* path : {"/", "/CMakeLists.txt", "/../../../../etc/passwd", "//etc/passwd"}) {
    EXPECT_THAT(Get((*server)->address(), path), StartsWith("HTTP/1.1 404 ")) << path;
  }
}

TEST(MetricsServerTest, ATakenPortIsAnError) {
  MetricRegistry metrics;
  auto first = MetricsServer::Start(&metrics, "127.0.0.1:0");
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = MetricsServer::Start(&metrics, (*first)->address());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), StartsWith("cannot listen on " + (*first)->address()));
}

TEST(MetricsServerTest, AnAddressThatItCannotHaveIsAnError) {
  MetricRegistry metrics;
  for (const char* address : {"::1:0", "no.such.host.invalid:0", "192.0.2.1:0"}) {
    const auto server = MetricsServer::Start(&metrics, address);
    EXPECT_EQ(server.status().code(), absl::StatusCode::kUnavailable) << address;
  }
}

TEST(MetricsServerTest, StopsAlthoughSomebodyIsConnectedAndSaysNothing) {
  MetricRegistry metrics;
  auto server = MetricsServer::Start(&metrics, "127.0.0.1:0");
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string address = (*server)->address();
  const int silent = Connect(address);
  server->reset();
  ::close(silent);
  EXPECT_TRUE(MetricsServer::Start(&metrics, address).ok()) << "the port is free again";
}

}  // namespace
}  // namespace digit
