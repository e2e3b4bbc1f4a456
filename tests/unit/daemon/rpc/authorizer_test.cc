#include "daemon/rpc/authorizer.h"

#include <set>

#include "digit/v1/digit.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "inference/grpc_service.pb.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

constexpr char kToken[] = "0123456789abcdef";

std::vector<std::string> MethodsOfBothServices() {
  std::vector<std::string> names;
  for (const auto* service :
       {v1::RecognizeRequest::descriptor()->file()->FindServiceByName("DigitService"),
        inference::ModelInferRequest::descriptor()->file()->FindServiceByName("GRPCInferenceService")}) {
    for (int i = 0; i < service->method_count(); ++i) names.push_back(service->method(i)->name());
  }
  return names;
}

TEST(AuthorizerTest, TheTableHasEveryMethodAndNoTwoServicesShareAName) {
  const std::vector<std::string> methods = MethodsOfBothServices();
  for (const std::string& method : methods) EXPECT_TRUE(Authorizer::Knows(method)) << method;
  EXPECT_EQ(std::set<std::string>(methods.begin(), methods.end()).size(), methods.size());
}

TEST(AuthorizerTest, EverybodyMayRecogniseAndLook) {
  const Authorizer authorizer({.admin_token = kToken, .listens_on_loopback = false});
  for (const char* method :
       {"Recognize", "RecognizeStream", "ListModels", "GetModel", "WatchTraining", "ListTrainings", "SubmitFeedback",
        "GetModelStats", "ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer",
        "ModelStreamInfer", "ModelConfig", "ModelStatistics", "RepositoryIndex"}) {
    EXPECT_TRUE(authorizer.Check(method, "").ok()) << method;
  }
}

TEST(AuthorizerTest, WithATokenAdminCallsNeedItAlsoOnLoopback) {
  const Authorizer authorizer({.admin_token = kToken, .listens_on_loopback = true});
  for (const std::string& method : MethodsOfBothServices()) {
    if (!Authorizer::IsForAdmins(method)) continue;
    EXPECT_TRUE(authorizer.Check(method, std::string("Bearer ") + kToken).ok()) << method;
    EXPECT_TRUE(authorizer.Check(method, std::string("bearer ") + kToken).ok()) << method;
    for (const char* sent : {"", "Bearer", "Bearer ", "0123456789abcdef", "Bearer 0123456789abcdeX",
                             "Bearer 0123456789abcde", "Bearer 0123456789abcdef0", "Basic 0123456789abcdef"}) {
      EXPECT_EQ(authorizer.Check(method, sent).code(), absl::StatusCode::kUnauthenticated) << method << sent;
    }
  }
}

TEST(AuthorizerTest, WithoutATokenAdminCallsAreForLoopbackOnly) {
  EXPECT_TRUE(Authorizer({}).Check("ReloadModel", "").ok());
  const absl::Status status = Authorizer({.listens_on_loopback = false}).Check("ReloadModel", "");
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--admin-token-file"));
}

TEST(AuthorizerTest, WhomAGatewayCallsRemoteIsNotOnLoopback) {
  EXPECT_EQ(Authorizer({}).Check("ReloadModel", "Bearer x", /*is_remote=*/true).code(),
            absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(Authorizer({}).Check("Recognize", "", /*is_remote=*/true).ok());
  const Authorizer with_token({.admin_token = kToken});
  EXPECT_TRUE(with_token.Check("ReloadModel", std::string("Bearer ") + kToken, /*is_remote=*/true).ok());
}

TEST(AuthorizerTest, KnowsLoopbackAddresses) {
  for (const char* address : {"127.0.0.1:0", "127.1.2.3:50051", "localhost:1", "[::1]:2"}) {
    EXPECT_TRUE(IsLoopbackAddress(address)) << address;
  }
  for (const char* address : {"0.0.0.0:0", "[::]:1", "10.0.0.7:1", "127.evil.example:1", "localhost.example:1"}) {
    EXPECT_FALSE(IsLoopbackAddress(address)) << address;
  }
}

}  // namespace
}  // namespace digit
