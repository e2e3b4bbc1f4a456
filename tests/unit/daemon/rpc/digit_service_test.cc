#include "daemon/rpc/digit_service.h"

#include <future>
#include <thread>

#include "absl/strings/numbers.h"
#include "daemon/rpc/codec.h"
#include "daemon/rpc/status_mapping.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/daemon/rpc/digit_service_fixture.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

TEST_F(DigitServiceTest, RecognizeAnswersWithEverythingAskedFor) {
  v1::RecognizeRequest request;
  request.add_images()->set_pixels(Raw(7));
  request.mutable_options()->set_include_pixels(true);
  request.mutable_options()->set_include_timing(true);
  v1::RecognizeResponse response;
  grpc::ClientContext context;
  const grpc::Status status = stub_->Recognize(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(response.results_size(), 1);
  EXPECT_EQ(response.results(0).prediction().label(), "7");
  EXPECT_EQ(response.results(0).prediction().probabilities_size(), 10);
  EXPECT_EQ(response.results(0).pixels(), Raw(7));
  EXPECT_EQ(response.model(), "fake");
  EXPECT_EQ(response.version(), "1");
  EXPECT_EQ(response.timing().batch_size(), 1);
  EXPECT_EQ(response.timing().executor(), "cpu:0");
  EXPECT_EQ(response.timing().device(), "cpu");
  EXPECT_THAT(TrailerOf(context, "digit-timing"),
              ::testing::MatchesRegex("decode=0us queue=[0-9]+us compute=[0-9]+us batch=1 cut=idle executor=cpu:0 "
                                      "device=cpu engine=fake model=fake/1"));
}

TEST_F(DigitServiceTest, OverloadSaysWhenToRetry) {
  engines_.control().Hold(true);
  v1::RecognizeRequest one, many;
  one.add_images()->set_pixels(Raw(1));
  for (int i = 0; i < kMaxQueuedImages; ++i) *many.mutable_packed_pixels() += Raw(i);
  const auto start = [&](grpc::ClientContext* context, const v1::RecognizeRequest& request) {
    return std::async(std::launch::async, [this, context, &request] {
      v1::RecognizeResponse response;
      return stub_->Recognize(context, request, &response);
    });
  };
  grpc::ClientContext running_context, waiting_context, refused_context;
  auto running = start(&running_context, one);
  engines_.control().WaitUntilHeld(1);
  auto waiting = start(&waiting_context, many);
  while (pool_->num_queued_images() < kMaxQueuedImages) std::this_thread::yield();

  EXPECT_EQ(start(&refused_context, one).get().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  int millis = 0;
  EXPECT_TRUE(absl::SimpleAtoi(TrailerOf(refused_context, "grpc-retry-pushback-ms"), &millis));
  EXPECT_GE(millis, 1);

  grpc::ClientContext stream_context;
  auto stream = stub_->RecognizeStream(&stream_context);
  v1::RecognizeStreamRequest message;
  *message.mutable_request() = one;
  v1::RecognizeStreamResponse answer;
  ASSERT_TRUE(stream->Write(message));
  ASSERT_TRUE(stream->Read(&answer));
  EXPECT_EQ(answer.error().code(), static_cast<int>(grpc::StatusCode::RESOURCE_EXHAUSTED));
  EXPECT_TRUE(answer.error().has_retry_after());
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());

  engines_.control().Hold(false);
  EXPECT_TRUE(running.get().ok());
  EXPECT_TRUE(waiting.get().ok());
}

TEST_F(DigitServiceTest, TheBytesOfUnansweredCallsAreBounded) {
  v1::RecognizeRequest small, large;
  small.add_images()->set_pixels(Raw(1));
  large = small;
  large.add_images()->set_encoded(std::string(kMaxCallBytes, 'x'));
  v1::RecognizeResponse response;
  const auto recognize = [&](const v1::RecognizeRequest& request) {
    grpc::ClientContext context;
    return stub_->Recognize(&context, request, &response);
  };
  EXPECT_TRUE(recognize(large).ok());  // alone it passes
  engines_.control().Hold(true);
  std::thread held([&] {
    v1::RecognizeResponse held_response;
    grpc::ClientContext context;
    EXPECT_TRUE(stub_->Recognize(&context, small, &held_response).ok());
  });
  engines_.control().WaitUntilHeld(1);
  const grpc::Status refused = recognize(large);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(refused.error_message(), HasSubstr("exceed the limit of 200000"));
  engines_.control().Hold(false);
  held.join();
  EXPECT_TRUE(recognize(large).ok());
}

TEST_F(DigitServiceTest, ABulkRequestLetsInteractiveOnesPass) {
  engines_.control().Hold(true);
  std::vector<std::future<grpc::Status>> calls;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  const auto start = [&](int index, v1::Priority priority) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    calls.push_back(std::async(std::launch::async, [&, index, priority, context = contexts.back().get()] {
      v1::RecognizeRequest request;
      request.add_images()->set_pixels(Raw(index));
      request.mutable_options()->set_priority(priority);
      request.mutable_options()->set_include_timing(true);
      v1::RecognizeResponse response;
      const grpc::Status status = stub_->Recognize(context, request, &response);
      EXPECT_EQ(response.timing().batch_size(), 1);  // the bulk image did not travel with the interactive one
      return status;
    }));
  };
  start(0, v1::PRIORITY_UNSPECIFIED);
  engines_.control().WaitUntilHeld(1);
  start(1, v1::PRIORITY_BULK);
  start(2, v1::PRIORITY_INTERACTIVE);
  while (pool_->num_queued_images() < 2) std::this_thread::yield();
  engines_.control().Hold(false);
  for (auto& call : calls) EXPECT_TRUE(call.get().ok());
}

TEST_F(DigitServiceTest, AModelWithoutWorkingEnginesIsShownAsNotServing) {
  engines_.control().FailNext(1);
  engines_.control().FailNextCreations(1 << 20);
  v1::RecognizeRequest request;
  request.add_images()->set_pixels(Raw(1));
  v1::RecognizeResponse response;
  grpc::ClientContext failing, refused, asking;
  EXPECT_EQ(stub_->Recognize(&failing, request, &response).error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(stub_->Recognize(&refused, request, &response).error_code(), grpc::StatusCode::UNAVAILABLE);
  v1::GetModelResponse model;
  ASSERT_TRUE(stub_->GetModel(&asking, {}, &model).ok());
  const v1::ModelVersion& version = model.model().versions(0);
  EXPECT_EQ(version.state(), v1::MODEL_STATE_NOT_SERVING);
  ASSERT_EQ(version.engines_size(), 1);
  EXPECT_FALSE(version.engines(0).working());
  EXPECT_EQ(version.engines(0).failures(), 1);
}

TEST_F(DigitServiceTest, WrongMessagesHaveTheRightCodes) {
  v1::RecognizeResponse response;
  {
    grpc::ClientContext context;
    EXPECT_EQ(stub_->Recognize(&context, {}, &response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  }
  v1::RecognizeRequest request;
  request.add_images()->set_pixels(Raw(1));
  request.set_version("9");
  grpc::ClientContext context;
  EXPECT_EQ(stub_->Recognize(&context, request, &response).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(DigitServiceTest, APriorityThatDoesNotExistIsRefusedByName) {
  for (int priority : {99, -1, 3}) {
    v1::RecognizeRequest request;
    request.add_images()->set_pixels(Raw(1));
    request.mutable_options()->set_priority(static_cast<v1::Priority>(priority));
    v1::RecognizeResponse response;
    grpc::ClientContext context;
    const grpc::Status status = stub_->Recognize(&context, request, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_EQ(status.error_message(),
              "options.priority is " + std::to_string(priority) +
                  ", must be PRIORITY_UNSPECIFIED (0), PRIORITY_INTERACTIVE (1) or PRIORITY_BULK (2)");
  }
}

TEST_F(DigitServiceTest, OneFailureOfManyImagesHasOneId) {
  RecognizeResult result;
  result.model = *registry_.Find("fake", "");
  result.images.resize(6);
  for (int i = 0; i < 6; ++i) {
    result.images[i].status = i < 3   ? absl::InternalError("first chunk")
                              : i < 5 ? absl::InternalError("second chunk")
                                      : absl::InvalidArgumentError("not an image");
  }
  v1::RecognizeResponse response;
  EncodeRecognize(result, {}, &response);
  const auto message = [&](int image) { return response.results(image).error().message(); };
  EXPECT_THAT(message(0), HasSubstr("request_id="));
  EXPECT_EQ(message(1), message(0));
  EXPECT_EQ(message(2), message(0));
  EXPECT_THAT(message(3), HasSubstr("request_id="));
  EXPECT_NE(message(3), message(0));
  EXPECT_EQ(message(4), message(3));
  EXPECT_EQ(message(5), "not an image");
}

TEST_F(DigitServiceTest, AnInternalErrorShowsAnIdAndNoDetails) {
  engines_.control().set_behaviour(FakeEngineControl::Behaviour::kFail);
  v1::RecognizeRequest request;
  request.add_images()->set_pixels(Raw(1));
  v1::RecognizeResponse response;
  grpc::ClientContext context;
  const grpc::Status status = stub_->Recognize(&context, request, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_THAT(status.error_message(), HasSubstr("request_id="));
  EXPECT_THAT(status.error_message(), ::testing::Not(HasSubstr("scripted")));
}

TEST_F(DigitServiceTest, ModelsAreListedAndDescribed) {
  v1::ListModelsResponse list;
  grpc::ClientContext list_context;
  ASSERT_TRUE(stub_->ListModels(&list_context, {}, &list).ok());
  ASSERT_EQ(list.models_size(), 1);
  EXPECT_TRUE(list.models(0).is_default());
  EXPECT_EQ(list.models(0).versions(0).engine(), "fake");

  v1::GetModelRequest request;
  v1::GetModelResponse response;
  grpc::ClientContext get_context;
  ASSERT_TRUE(stub_->GetModel(&get_context, request, &response).ok());
  EXPECT_EQ(response.model().versions(0).labels_size(), 10);
  request.set_model("other");
  grpc::ClientContext missing_context;
  EXPECT_EQ(stub_->GetModel(&missing_context, request, &response).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(DigitServiceTest, AReloadThatFailsLeavesTheModelServing) {
  grpc::ClientContext reload_context, rollback_context, get_context;
  v1::ReloadModelResponse reloaded;
  const grpc::Status status = stub_->ReloadModel(&reload_context, {}, &reloaded);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr("fake.pt"));
  v1::RollbackModelResponse rolled_back;
  EXPECT_EQ(stub_->RollbackModel(&rollback_context, {}, &rolled_back).error_code(),
            grpc::StatusCode::FAILED_PRECONDITION);
  v1::GetModelResponse model;
  ASSERT_TRUE(stub_->GetModel(&get_context, {}, &model).ok());
  EXPECT_EQ(model.model().versions(0).state(), v1::MODEL_STATE_LIVE);
}

TEST_F(DigitServiceTest, AdminCallsAskTheAuthorizer) {
  DigitServiceImpl::Options options;
  options.authorizer.listens_on_loopback = false;
  DigitServiceImpl guarded(options, &call_bytes_, &recognizer_, &registry_, &loader_, &corrections_, &trainings_);
  grpc::ServerBuilder builder;
  builder.RegisterService(&guarded);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  const auto stub = v1::DigitService::NewStub(server->InProcessChannel({}));
  grpc::ClientContext reload, rollback, list;
  v1::ReloadModelResponse reloaded;
  v1::RollbackModelResponse rolled_back;
  v1::ListModelsResponse models;
  EXPECT_EQ(stub->ReloadModel(&reload, {}, &reloaded).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(stub->RollbackModel(&rollback, {}, &rolled_back).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_TRUE(stub->ListModels(&list, {}, &models).ok());
  server->Shutdown();
}

TEST(StatusMappingTest, CodesAreEqualByValueAndMessagesAreBounded) {
  for (int code = 0; code <= 16; ++code) {
    const grpc::Status status = ToGrpcStatus(absl::Status(static_cast<absl::StatusCode>(code), "text"));
    EXPECT_EQ(static_cast<int>(status.error_code()), code);
  }
  EXPECT_EQ(ToGrpcStatus(absl::InvalidArgumentError(std::string(5000, 'x'))).error_message().size(), 1024u);
  EXPECT_THAT(ToGrpcStatus(absl::InternalError("secret")).error_message(), ::testing::Not(HasSubstr("secret")));
}

}  // namespace
}  // namespace digit
