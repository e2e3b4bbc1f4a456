#include "client/gateway/http/worker.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/simulated_clock.h"

namespace digit {
namespace {

using asio::ip::tcp;

constexpr int kMaxConnections = 3;

asio::awaitable<HttpResponse> Hello(const HttpRequest&, HttpExchange&) {
  HttpResponse response;
  response.content_type = "text/plain";
  response.body = "hello";
  co_return response;
}

// A worker whose event loop the test turns by hand, one handler at a time, and clients that connect to it.
class HttpWorkerTest : public testing::Test {
 protected:
  HttpWorkerTest() : worker_(Shared(), kMaxConnections) {}

  HttpConnection::Shared Shared() {
    HttpConnection::Shared shared;
    shared.handler = Hello;
    shared.on_bad_request = [](const HttpError&) { return HttpResponse(); };
    shared.clock = &clock_;
    shared.bodies = &bodies_;
    return shared;
  }

  tcp::socket Connect() {
    tcp::socket client(clients_);
    client.connect(acceptor_.local_endpoint());
    client.non_blocking(true);
    worker_.Add(acceptor_.accept(worker_.io()));
    clock_.Advance(absl::Milliseconds(1));
    return client;
  }

  // What the worker answers to a request; empty: it has closed the connection.
  std::string Ask(tcp::socket* client) {
    clock_.Advance(absl::Milliseconds(1));
    boost::system::error_code error;
    client->write_some(asio::buffer(std::string("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")), error);
    while (worker_.io().poll() > 0) {
    }
    std::array<char, 4096> answer;
    const size_t size = client->read_some(asio::buffer(answer), error);
    return std::string(answer.data(), size);
  }

  SimulatedClock clock_;
  ByteBudget bodies_{1 << 20};
  HttpWorker worker_;
  const asio::executor_work_guard<asio::io_context::executor_type> running_{worker_.io().get_executor()};
  asio::io_context clients_;
  tcp::acceptor acceptor_{clients_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)};
};

TEST_F(HttpWorkerTest, WhoHasLeftMakesRoomAndNobodyElseWhateverTheOrderOfEvents) {
  constexpr int kSeed = 7;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::minstd_rand random(kSeed);
  const auto turn_a_little = [&] {
    for (int i = static_cast<int>(random() % 4); i > 0; --i) worker_.io().poll_one();
  };
  std::vector<tcp::socket> before;
  for (int round = 0; round < 2000; ++round) {
    for (tcp::socket& client : before) {
      client.close();
      turn_a_little();
    }
    std::vector<tcp::socket> now;
    for (int i = 0; i < kMaxConnections; ++i) {
      now.push_back(Connect());
      turn_a_little();
    }
    for (tcp::socket& client : now) {
      ASSERT_TRUE(Ask(&client).starts_with("HTTP/1.1 200 OK")) << "round " << round;
    }
    before = std::move(now);
  }
}

TEST_F(HttpWorkerTest, BeyondTheLimitTheQuietestConnectionEnds) {
  std::vector<tcp::socket> clients;
  clients.reserve(kMaxConnections);
  for (int i = 0; i < kMaxConnections; ++i) clients.push_back(Connect());
  EXPECT_NE(Ask(&clients[1]), "");
  EXPECT_NE(Ask(&clients[0]), "");
  EXPECT_NE(Ask(&clients[2]), "");  // the second has been silent for longest
  tcp::socket late = Connect();
  EXPECT_NE(Ask(&late), "");
  EXPECT_EQ(Ask(&clients[1]), "");
  EXPECT_NE(Ask(&clients[0]), "");
  EXPECT_NE(Ask(&clients[2]), "");
}

}  // namespace
}  // namespace digit
