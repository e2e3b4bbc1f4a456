#include "daemon/rpc/oip/inference_service.h"

#include <cmath>
#include <future>
#include <map>
#include <thread>

#include "absl/strings/numbers.h"
#include "daemon/rpc/status_mapping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/metric_value.h"
#include "tests/unit/daemon/rpc/busy_loader.h"
#include "tests/unit/daemon/rpc/oip/oip_fixture.h"

namespace digit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class InferenceServiceTest : public OipTest {};

TEST_F(InferenceServiceTest, PixelsAndFilesAreClassified) {
  inference::ModelInferRequest pixels = PixelsRequest(3, 2);
  pixels.set_id("p");
  inference::ModelInferResponse response;
  grpc::Status status = Infer(pixels, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.model_name(), "fake");
  EXPECT_EQ(response.model_version(), "1");
  EXPECT_EQ(response.id(), "p");
  EXPECT_THAT(BytesOf(response, "label"), ElementsAre("3", "4"));
  EXPECT_THAT(ElementsOf<int32_t>(response, "class"), ElementsAre(3, 4));
  EXPECT_EQ(ElementsOf<float>(response, "probabilities").size(), 20u);

  status = Infer(ImagesRequest({PgmOf(5), PgmOf(6), PgmOf(7)}), &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(BytesOf(response, "label"), ElementsAre("5", "6", "7"));
}

TEST_F(InferenceServiceTest, AnsweredCallsCarryTheirTiming) {
  grpc::ClientContext context;
  inference::ModelInferResponse response;
  ASSERT_TRUE(stub_->ModelInfer(&context, PixelsRequest(3), &response).ok());
  const auto found = context.GetServerTrailingMetadata().find("digit-timing");
  ASSERT_NE(found, context.GetServerTrailingMetadata().end());
  EXPECT_THAT(std::string(found->second.data(), found->second.size()), HasSubstr("executor=cpu:0"));
}

TEST_F(InferenceServiceTest, OneBadImageFailsTheCallAndIsNamed) {
  inference::ModelInferResponse response;
  grpc::Status status = Infer(ImagesRequest({PgmOf(5), "no picture", PgmOf(7)}), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("images[1]: "));
  inference::ModelInferRequest blank = PixelsRequest(3, 2);
  blank.mutable_raw_input_contents(0)->replace(kImagePixels, kImagePixels, std::string(kImagePixels, '\0'));
  status = Infer(blank, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("pixels[1]: no digit found"));
}

TEST_F(InferenceServiceTest, VersionsAndLabelsAreFoundAndOthersAreNot) {
  inference::ModelInferResponse response;
  for (const char* version : {"", "1", "stable"}) {
    inference::ModelInferRequest request = PixelsRequest(3);
    request.set_model_name("fake");
    request.set_model_version(version);
    EXPECT_TRUE(Infer(request, &response).ok()) << version;
    EXPECT_EQ(response.model_version(), "1");
  }
  inference::ModelInferRequest request = PixelsRequest(3);
  request.set_model_version("9");
  EXPECT_EQ(Infer(request, &response).error_code(), grpc::StatusCode::NOT_FOUND);
  request.set_model_name("other");
  const grpc::Status status = Infer(request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr("other"));
}

TEST_F(InferenceServiceTest, AWrongTensorIsRefusedWithItsNameAndCostsNothing) {
  inference::ModelInferRequest request = PixelsRequest(3);
  request.mutable_raw_input_contents(0)->pop_back();
  inference::ModelInferResponse response;
  const grpc::Status status = Infer(request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("input 'pixels' has 783 bytes"));
  EXPECT_TRUE(Infer(PixelsRequest(3), &response).ok());
}

TEST_F(InferenceServiceTest, ATimeoutOfTheRequestIsItsDeadline) {
  engines_.control().Hold(true);
  inference::ModelInferResponse first_response, response;
  auto first = std::async(std::launch::async, [&] { return Infer(PixelsRequest(1), &first_response); });
  engines_.control().WaitUntilHeld(1);
  inference::ModelInferRequest request = PixelsRequest(2);
  (*request.mutable_parameters())["timeout"].set_int64_param(1);
  const grpc::StatusCode code = Infer(request, &response).error_code();
  EXPECT_TRUE(code == grpc::StatusCode::DEADLINE_EXCEEDED || code == grpc::StatusCode::RESOURCE_EXHAUSTED) << code;
  engines_.control().Hold(false);
  EXPECT_TRUE(first.get().ok());
}

TEST_F(InferenceServiceTest, OverloadSaysWhenToRetry) {
  engines_.control().Hold(true);
  inference::ModelInferResponse running_response, waiting_response, response;
  auto running = std::async(std::launch::async, [&] { return Infer(PixelsRequest(1), &running_response); });
  engines_.control().WaitUntilHeld(1);
  auto waiting = std::async(std::launch::async, [&] { return Infer(PixelsRequest(1, 64), &waiting_response); });
  while (pool_->num_queued_images() < 64) std::this_thread::yield();
  grpc::ClientContext context;
  EXPECT_EQ(stub_->ModelInfer(&context, PixelsRequest(1), &response).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(context.GetServerTrailingMetadata().count(kRetryPushback), 1u);
  engines_.control().Hold(false);
  EXPECT_TRUE(running.get().ok());
  EXPECT_TRUE(waiting.get().ok());
}

TEST_F(InferenceServiceTest, UnansweredBytesAreBoundedTogetherWithOtherServices) {
  const absl::Status taken = call_bytes_.Take(199'500);
  ASSERT_TRUE(taken.ok());
  inference::ModelInferResponse response;
  const grpc::Status status = Infer(PixelsRequest(3), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("limit of 200000"));
  call_bytes_.Give(199'500);
  EXPECT_TRUE(Infer(PixelsRequest(3), &response).ok());
}

TEST_F(InferenceServiceTest, LiveReadyAndMetadata) {
  inference::ServerLiveResponse live;
  EXPECT_TRUE(Call(&Stub::ServerLive, {}, &live).ok() && live.live());
  for (const bool ready : {true, false}) {
    ready_ = ready;
    inference::ServerReadyResponse server;
    ASSERT_TRUE(Call(&Stub::ServerReady, {}, &server).ok());
    EXPECT_EQ(server.ready(), ready);
    const std::map<std::pair<std::string, std::string>, bool> models = {
        {{"", ""}, ready}, {{"fake", "1"}, ready}, {{"fake", "2"}, false}, {{"other", ""}, false}};
    for (const auto& [name, expected] : models) {
      inference::ModelReadyRequest request;
      inference::ModelReadyResponse model;
      request.set_name(name.first);
      request.set_version(name.second);
      ASSERT_TRUE(Call(&Stub::ModelReady, request, &model).ok());
      EXPECT_EQ(model.ready(), expected) << name.first << "/" << name.second;
    }
  }
  inference::ServerMetadataResponse server;
  ASSERT_TRUE(Call(&Stub::ServerMetadata, {}, &server).ok());
  EXPECT_EQ(server.name(), "digitd");
  EXPECT_THAT(server.extensions(),
              ElementsAre("classification", "model_configuration", "model_repository", "statistics"));
}

TEST_F(InferenceServiceTest, ModelMetadataAndConfigDescribeTheTensors) {
  inference::ModelMetadataRequest request;
  inference::ModelMetadataResponse metadata;
  ASSERT_TRUE(Call(&Stub::ModelMetadata, request, &metadata).ok());
  EXPECT_EQ(metadata.name(), "fake");
  EXPECT_THAT(metadata.versions(), ElementsAre("1"));
  EXPECT_EQ(metadata.inputs(0).name(), "pixels");
  EXPECT_THAT(metadata.inputs(0).shape(), ElementsAre(-1, 28, 28));
  EXPECT_EQ(metadata.inputs(1).datatype(), "BYTES");
  EXPECT_EQ(metadata.outputs(0).name(), "probabilities");
  EXPECT_THAT(metadata.outputs(0).shape(), ElementsAre(-1, 10));
  EXPECT_EQ(metadata.outputs_size(), 4);
  EXPECT_EQ(metadata.properties().at("labels"), R"(["0","1","2","3","4","5","6","7","8","9"])");
  EXPECT_THAT(metadata.properties().at("pixels"), HasSubstr("FP32: 0 paper to 1 ink"));
  request.set_name("other");
  EXPECT_EQ(Call(&Stub::ModelMetadata, request, &metadata).error_code(), grpc::StatusCode::NOT_FOUND);

  inference::ModelConfigResponse config;
  ASSERT_TRUE(Call(&Stub::ModelConfig, {}, &config).ok());
  EXPECT_EQ(config.config().max_batch_size(), 1024);
  EXPECT_TRUE(config.config().has_dynamic_batching());
  EXPECT_THAT(config.config().input(0).dims(), ElementsAre(28, 28));
  EXPECT_TRUE(config.config().input(1).optional());
  EXPECT_EQ(config.config().output(2).data_type(), inference::TYPE_STRING);
  EXPECT_EQ(config.config().backend(), "fake");
}

TEST_F(InferenceServiceTest, StatisticsAreWhatWasCounted) {
  inference::ModelInferResponse response;
  ASSERT_TRUE(Infer(PixelsRequest(1, 3), &response).ok());
  ASSERT_TRUE(Infer(PixelsRequest(1), &response).ok());
  engines_.control().FailNext(1);
  EXPECT_EQ(Infer(PixelsRequest(1), &response).error_code(), grpc::StatusCode::INTERNAL);
  inference::ModelStatisticsRequest request;
  inference::ModelStatisticsResponse statistics;
  ASSERT_TRUE(Call(&Stub::ModelStatistics, request, &statistics).ok());
  ASSERT_EQ(statistics.model_stats_size(), 1);
  const inference::ModelStatistics& model = statistics.model_stats(0);
  EXPECT_EQ(model.name(), "fake");
  EXPECT_EQ(model.version(), "1");
  EXPECT_EQ(model.inference_count(), 4u);
  EXPECT_EQ(model.execution_count(), 3u);
  EXPECT_EQ(model.inference_stats().success().count(), 2u);
  EXPECT_EQ(model.inference_stats().fail().count(), 1u);
  EXPECT_EQ(model.inference_stats().queue().count(), 2u);
  EXPECT_EQ(model.inference_stats().compute_infer().count(), 2u);
  EXPECT_GE(model.inference_stats().success().ns(), model.inference_stats().compute_infer().ns());
  EXPECT_GT(model.last_inference(), 1'799'999'000'000u);
  EXPECT_LE(model.last_inference(), 1'800'000'000'000u);
  request.set_name("other");
  EXPECT_EQ(Call(&Stub::ModelStatistics, request, &statistics).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(InferenceServiceTest, TheIndexListsVersionsAndTheirState) {
  inference::RepositoryIndexRequest request;
  inference::RepositoryIndexResponse index;
  request.set_ready(true);
  ASSERT_TRUE(Call(&Stub::RepositoryIndex, request, &index).ok());
  ASSERT_EQ(index.models_size(), 1);
  EXPECT_EQ(index.models(0).name(), "fake");
  EXPECT_EQ(index.models(0).version(), "1");
  EXPECT_EQ(index.models(0).state(), "READY");
  request.set_repository_name("r");
  EXPECT_EQ(Call(&Stub::RepositoryIndex, request, &index).error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(InferenceServiceTest, AModelWhoseEnginesFailedIsNotReady) {
  engines_.control().FailNextCreations(1000);
  engines_.control().FailNext(1);
  inference::ModelInferResponse response;
  EXPECT_FALSE(Infer(PixelsRequest(1), &response).ok());
  inference::ModelReadyResponse model;
  ASSERT_TRUE(Call(&Stub::ModelReady, {}, &model).ok());
  EXPECT_FALSE(model.ready());
  inference::RepositoryIndexResponse index;
  ASSERT_TRUE(Call(&Stub::RepositoryIndex, {}, &index).ok());
  EXPECT_EQ(index.models(0).state(), "UNAVAILABLE");
  EXPECT_THAT(index.models(0).reason(), HasSubstr("engines"));
}

TEST_F(InferenceServiceTest, LoadReloadsAndRefusesWhatAServerMustNotTakeFromACaller) {
  inference::RepositoryModelLoadRequest request;
  inference::RepositoryModelLoadResponse response;
  request.set_model_name("fake");
  EXPECT_EQ(Call(&Stub::RepositoryModelLoad, request, &response).error_code(), grpc::StatusCode::NOT_FOUND)
      << "its file does not exist";
  for (const char* parameter : {"config", "file:1/model.pt", "anything"}) {
    request.clear_parameters();
    (*request.mutable_parameters())[parameter].set_string_param("{}");
    const grpc::Status status = Call(&Stub::RepositoryModelLoad, request, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(), HasSubstr(parameter));
  }
  request.clear_parameters();
  request.set_repository_name("r");
  EXPECT_EQ(Call(&Stub::RepositoryModelLoad, request, &response).error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(InferenceServiceTest, ALoadThatWaitsIsCancelledWhenItsCallerHasLeft) {
  MetricRegistry metrics;
  RpcMetrics rpc_metrics(&metrics);
  InferenceServiceImpl::Options options;
  options.metrics = &rpc_metrics;
  Serve(options);
  const inference::RepositoryModelLoadRequest load;
  inference::RepositoryModelLoadResponse loaded;
  // Until it is seen, as the server may learn of it too late.
  while (std::isnan(ValueOf(metrics, "digit_rpc_requests_total", {"RepositoryModelLoad", "CANCELLED"}))) {
    LeaveWhileTheLoaderIsBusy(
        &loader_,
        [&](grpc::ClientContext* context, std::function<void(grpc::Status)> ended) {
          stub_->async()->RepositoryModelLoad(context, &load, &loaded, std::move(ended));
        },
        [&] {
          inference::ServerLiveResponse live;
          Call(&Stub::ServerLive, {}, &live);
        });
  }
  server_->Shutdown();  // before the metrics go
}

TEST_F(InferenceServiceTest, UnloadSaysWhatToDoInstead) {
  inference::RepositoryModelUnloadRequest request;
  inference::RepositoryModelUnloadResponse response;
  request.set_model_name("fake");
  grpc::Status status = Call(&Stub::RepositoryModelUnload, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_THAT(status.error_message(), HasSubstr("RollbackModel"));
  (*request.mutable_parameters())["file:x"].set_string_param("");
  status = Call(&Stub::RepositoryModelUnload, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(InferenceServiceTest, LoadAndUnloadAreForAdmins) {
  InferenceServiceImpl::Options options;
  options.authorizer.admin_token = "0123456789abcdef";
  Serve(options);
  inference::RepositoryModelLoadResponse loaded;
  inference::RepositoryModelUnloadResponse unloaded;
  EXPECT_EQ(Call(&Stub::RepositoryModelLoad, {}, &loaded).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Call(&Stub::RepositoryModelUnload, {}, &unloaded).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Call(&Stub::RepositoryModelLoad, {}, &loaded, "0123456789abcdef").error_code(),
            grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Call(&Stub::RepositoryModelUnload, {}, &unloaded, "0123456789abcdef").error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(InferenceServiceTest, EveryMethodIsCounted) {
  MetricRegistry metrics;
  RpcMetrics rpc_metrics(&metrics);
  InferenceServiceImpl::Options options;
  options.metrics = &rpc_metrics;
  Serve(options);
  const auto calls = [&](const std::string& method, const std::string& code) {
    return ValueOf(metrics, "digit_rpc_requests_total", {method, code});
  };
  inference::ModelInferResponse response;
  Infer(PixelsRequest(1), &response);
  Infer({}, &response);
  EXPECT_EQ(calls("ModelInfer", "OK"), 1);
  EXPECT_EQ(calls("ModelInfer", "INVALID_ARGUMENT"), 1);
  inference::ServerLiveResponse live;
  inference::ServerReadyResponse ready;
  inference::ModelReadyResponse model_ready;
  inference::ServerMetadataResponse server;
  inference::ModelMetadataResponse metadata;
  inference::ModelConfigResponse config;
  inference::ModelStatisticsResponse statistics;
  inference::RepositoryIndexResponse index;
  inference::RepositoryModelLoadResponse loaded;
  inference::RepositoryModelUnloadResponse unloaded;
  Call(&Stub::ServerLive, {}, &live);
  Call(&Stub::ServerReady, {}, &ready);
  Call(&Stub::ModelReady, {}, &model_ready);
  Call(&Stub::ServerMetadata, {}, &server);
  Call(&Stub::ModelMetadata, {}, &metadata);
  Call(&Stub::ModelConfig, {}, &config);
  Call(&Stub::ModelStatistics, {}, &statistics);
  Call(&Stub::RepositoryIndex, {}, &index);
  Call(&Stub::RepositoryModelLoad, {}, &loaded);
  Call(&Stub::RepositoryModelUnload, {}, &unloaded);
  const auto* service = inference::ModelInferRequest::descriptor()->file()->FindServiceByName("GRPCInferenceService");
  for (int i = 0; i < service->method_count(); ++i) {
    const std::string& method = service->method(i)->name();
    if (method == "ModelStreamInfer") continue;  // counts messages
    EXPECT_GE(ValueOf(metrics, "digit_rpc_duration_seconds", {method}), 1) << method;
  }
}

}  // namespace
}  // namespace digit
