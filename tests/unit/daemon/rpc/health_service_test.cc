#include "daemon/rpc/health_service.h"

#include "grpcpp/create_channel.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"

namespace digit {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

class HealthServiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&health_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    stub_ = grpc::health::v1::Health::NewStub(
        grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials()));
  }
  void TearDown() override {
    health_.EndWatches();
    server_->Shutdown();
  }

  HealthServiceImpl health_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<grpc::health::v1::Health::Stub> stub_;
};

TEST_F(HealthServiceTest, BothServicesAreAsTheServerIs) {
  for (const bool serving : {true, false}) {
    health_.SetModels({{"mnist", true}});
    health_.SetServing(serving);
    EXPECT_EQ(health_.IsServing(), serving);
    for (const char* service : {"", "digit.v1.DigitService", "inference.GRPCInferenceService"}) {
      grpc::ClientContext context;
      HealthCheckRequest request;
      HealthCheckResponse response;
      request.set_service(service);
      ASSERT_TRUE(stub_->Check(&context, request, &response).ok()) << service;
      EXPECT_EQ(response.status(), serving ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING);
    }
  }
}

TEST_F(HealthServiceTest, HealthStartsAsNotServingAndWatchersSeeChanges) {
  HealthCheckResponse response;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(stub_->Check(&context, {}, &response).ok());
    EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  }
  grpc::ClientContext watch_context;
  health_.SetModels({{"fake", true}});
  auto watch = stub_->Watch(&watch_context, {});
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  health_.SetServing(true);
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  health_.SetServing(false);
  health_.EndWatches();
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  EXPECT_FALSE(watch->Read(&response));
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(HealthServiceTest, HealthOfTheServerIsThatOfItsBestModel) {
  const auto check = [&](const std::string& service) {
    HealthCheckRequest request;
    HealthCheckResponse response;
    grpc::ClientContext context;
    request.set_service(service);
    EXPECT_TRUE(stub_->Check(&context, request, &response).ok()) << service;
    return response.status() == HealthCheckResponse::SERVING;
  };
  health_.SetServing(true);
  EXPECT_FALSE(check(""));  // no model yet
  health_.SetModels({{"good", true}, {"broken", false}});
  EXPECT_TRUE(check(""));
  EXPECT_TRUE(check("digit.v1.DigitService"));
  EXPECT_TRUE(check("digit.v1.DigitService/good"));
  EXPECT_FALSE(check("digit.v1.DigitService/broken"));
  health_.SetModels({{"good", false}, {"broken", false}});
  EXPECT_FALSE(check(""));
  EXPECT_FALSE(check("digit.v1.DigitService/good"));
}

TEST_F(HealthServiceTest, HealthKnowsItsServicesOnly) {
  HealthCheckRequest request;
  HealthCheckResponse response;
  request.set_service("digit.v1.DigitService");
  grpc::ClientContext known;
  EXPECT_TRUE(stub_->Check(&known, request, &response).ok());
  request.set_service("other");
  grpc::ClientContext unknown;
  EXPECT_EQ(stub_->Check(&unknown, request, &response).error_code(), grpc::StatusCode::NOT_FOUND);
  request.set_service("digit.v1.DigitServiceX");
  grpc::ClientContext unknown_too;
  EXPECT_EQ(stub_->Check(&unknown_too, request, &response).error_code(), grpc::StatusCode::NOT_FOUND);
  grpc::ClientContext watch_context;
  auto watch = stub_->Watch(&watch_context, request);
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVICE_UNKNOWN);
  watch_context.TryCancel();
  EXPECT_FALSE(watch->Finish().ok());
}

}  // namespace
}  // namespace digit
