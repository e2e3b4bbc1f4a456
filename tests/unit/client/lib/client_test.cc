#include "client/lib/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/client/lib/fake_digit_service.h"

namespace digit {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr absl::Duration kAmple = absl::Minutes(1);

std::unique_ptr<Client> Connect(const std::string& server, absl::Duration timeout = kAmple) {
  absl::StatusOr<std::unique_ptr<Client>> client = Client::Create({.server = server, .timeout = timeout});
  EXPECT_TRUE(client.ok()) << client.status();
  return *std::move(client);
}

const char kNobody[] = "127.0.0.1:1";  // a port that nobody is given who asks for any

grpc::Status Overloaded(grpc::ServerContext* context, const std::string& pushback_ms) {
  if (!pushback_ms.empty()) context->AddTrailingMetadata("grpc-retry-pushback-ms", pushback_ms);
  return {grpc::StatusCode::RESOURCE_EXHAUSTED, "queue full"};
}

TEST(ClientTest, RefusesWrongOptions) {
  EXPECT_THAT(std::string(Client::Create({.server = "localhost"}).status().message()), HasSubstr("'localhost'"));
  EXPECT_THAT(std::string(Client::Create({.timeout = absl::ZeroDuration()}).status().message()), HasSubstr("above 0"));
  EXPECT_THAT(std::string(Client::Create({.timeout = absl::InfiniteDuration()}).status().message()), HasSubstr("24h"));
}

TEST(ClientTest, RecognizeCarriesRequestAndResponse) {
  FakeServer server;
  server.recognize = [](grpc::ServerContext*, const v1::RecognizeRequest& request, v1::RecognizeResponse* response) {
    EXPECT_EQ(request.images(0).encoded(), "picture");
    response->add_results()->mutable_prediction()->set_label("7");
    return grpc::Status::OK;
  };
  v1::RecognizeRequest request;
  request.add_images()->set_encoded("picture");
  absl::StatusOr<v1::RecognizeResponse> response = Connect(server.address())->Recognize(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->results(0).prediction().label(), "7");
}

TEST(ClientTest, RetriesOverloadAfterTheServersPushback) {
  FakeServer server;
  server.recognize = [&](grpc::ServerContext* context, const v1::RecognizeRequest&, v1::RecognizeResponse* response) {
    if (server.calls < 3) return Overloaded(context, "1");
    response->set_model("mnist");
    return grpc::Status::OK;
  };
  absl::StatusOr<v1::RecognizeResponse> response = Connect(server.address())->Recognize({});
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->model(), "mnist");
  EXPECT_EQ(server.calls, 3);
}

TEST(ClientTest, DoesNotRetryOverloadWithoutAUsablePushback) {
  // None, "never" (gRFC A6), nonsense, and one that lies beyond the deadline.
  for (const std::string pushback : {"", "-1", "soon", "3600000"}) {
    FakeServer server;
    server.recognize = [&](grpc::ServerContext* context, const v1::RecognizeRequest&, v1::RecognizeResponse*) {
      return Overloaded(context, pushback);
    };
    const absl::Status status = Connect(server.address())->Recognize({}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(std::string(status.message()), server.address() + " says: queue full");
    EXPECT_EQ(server.calls, 1) << pushback;
  }
}

TEST(ClientTest, RetriesUnavailableByServiceConfig) {
  FakeServer server;
  server.recognize = [&](grpc::ServerContext*, const v1::RecognizeRequest&, v1::RecognizeResponse*) {
    return server.calls < 3 ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "draining") : grpc::Status::OK;
  };
  EXPECT_TRUE(Connect(server.address())->Recognize({}).ok());
  EXPECT_EQ(server.calls, 3);
}

TEST(ClientTest, RetriesWhatAStoppingServerHasCancelled) {
  FakeServer server;
  server.recognize = [&](grpc::ServerContext*, const v1::RecognizeRequest&, v1::RecognizeResponse*) {
    return server.calls < 2 ? grpc::Status(grpc::StatusCode::CANCELLED, "CANCELLED") : grpc::Status::OK;
  };
  EXPECT_TRUE(Connect(server.address())->Recognize({}).ok());
  EXPECT_EQ(server.calls, 2);
}

TEST(ClientTest, GivesUpUnavailableAfterFourAttempts) {
  FakeServer server;
  server.recognize = [&](grpc::ServerContext*, const v1::RecognizeRequest&, v1::RecognizeResponse*) {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "draining");
  };
  EXPECT_EQ(Connect(server.address())->Recognize({}).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(server.calls, 4);
}

TEST(ClientTest, EveryCallHasTheDeadline) {
  FakeServer server;
  server.recognize = [&](grpc::ServerContext* context, const v1::RecognizeRequest&, v1::RecognizeResponse*) {
    // The wire carries the time left, rounded up to three digits or so: what matters is that there is an end.
    EXPECT_LE(context->deadline(), std::chrono::system_clock::now() + absl::ToChronoSeconds(2 * kAmple));
    return grpc::Status::OK;
  };
  EXPECT_TRUE(Connect(server.address())->Recognize({}).ok());
}

TEST(ClientTest, ASlowServerIsDeadlineExceeded) {
  FakeServer server;
  server.recognize = [&](grpc::ServerContext* context, const v1::RecognizeRequest&, v1::RecognizeResponse*) {
    while (!context->IsCancelled()) std::this_thread::yield();
    return grpc::Status::OK;
  };
  const std::unique_ptr<Client> client = Connect(server.address(), absl::Milliseconds(200));
  while (!client->ListModels().ok()) continue;  // connected; that may take longer
  const absl::Status status = client->Recognize({}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(std::string(status.message()), "no answer from " + server.address() + " within 200ms");
}

TEST(ClientTest, AnUnreachableServerIsExplained) {
  const std::string server = kNobody;
  const absl::Status status = Connect(server)->Recognize({}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(std::string(status.message()), "cannot reach " + server +
                                               ": connection refused. Is digitd running? Start it with: digitd "
                                               "--model mnist.pt");
}

TEST(ClientTest, AnUnknownModelIsNotFound) {
  FakeServer server;
  const absl::Status status = Connect(server.address())->GetModel("nope").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("model 'nope' is not loaded"));
}

TEST(ClientTest, ListsAndGetsModels) {
  FakeServer server;
  std::unique_ptr<Client> client = Connect(server.address());
  EXPECT_EQ(client->ListModels()->models(0).name(), "mnist");
  EXPECT_EQ(client->GetModel("")->name(), "mnist");
  EXPECT_EQ(client->GetModel("other")->name(), "other");
}

TEST(ClientTest, IsServingTellsTheHealthOfNow) {
  using grpc::health::v1::HealthCheckResponse;
  FakeServer server;
  server.check = [](const std::string& service) {
    return service.empty() ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
  };
  std::unique_ptr<Client> client = Connect(server.address());
  EXPECT_TRUE(*client->IsServing());
  EXPECT_FALSE(*client->IsServing("digit.v1.DigitService"));
  EXPECT_THAT(std::string(Connect(kNobody)->IsServing().status().message()), StartsWith("cannot reach"));
}

}  // namespace
}  // namespace digit
