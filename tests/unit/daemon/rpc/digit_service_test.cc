#include "daemon/rpc/digit_service.h"

#include <atomic>
#include <future>
#include <thread>

#include "absl/strings/numbers.h"
#include "daemon/rpc/status_mapping.h"
#include "gmock/gmock.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"
#include "tests/support/fake_engine.h"
#include "tests/support/simulated_clock.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

std::string Raw(int c) {
  std::string bytes(kImagePixels, '\0');
  bytes[0] = static_cast<char>(10 + c);  // a FakeEngine says c; never blank
  return bytes;
}

std::string TrailerOf(const grpc::ClientContext& context, const std::string& name) {
  const auto found = context.GetServerTrailingMetadata().find(name);
  if (found == context.GetServerTrailingMetadata().end()) return "";
  return std::string(found->second.data(), found->second.size());
}

constexpr int kMaxQueuedImages = 64;

// The real services on port 0, real clients, a FakeEngine.
class DigitServiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(registry_.Add("fake", "1", FakeModel(), absl::UnixEpoch()).ok());
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    channel_ = grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials());
    stub_ = v1::DigitService::NewStub(channel_);
  }
  void TearDown() override { server_->Shutdown(); }

  FakeEngineFactory engines_;
  std::unique_ptr<Pool> pool_ =
      *Pool::Create({.max_batch_size = 4, .max_queued_images = kMaxQueuedImages, .engines = &engines_});
  ModelRegistry registry_{pool_.get()};
  DecodePool decode_pool_{{.threads = 1}};
  Recognizer recognizer_{{}, &registry_, &decode_pool_};
  SimulatedClock clock_{SteadyClock()->Now()};  // the pool has the real one
  DigitServiceImpl service_{{.max_unanswered_images = 8, .clock = &clock_}, &recognizer_, &registry_};
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::DigitService::Stub> stub_;
};

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

TEST_F(DigitServiceTest, AStreamAnswersInOrderAndAnErrorDoesNotEndIt) {
  grpc::ClientContext context;
  auto stream = stub_->RecognizeStream(&context);
  constexpr int kMessages = 100;
  std::thread writer([&] {
    for (int i = 0; i < kMessages; ++i) {
      v1::RecognizeStreamRequest request;
      request.set_id(i);
      if (i % 10 != 3) request.mutable_request()->add_images()->set_pixels(Raw(i % 10));
      stream->Write(request);
    }
    stream->WritesDone();
  });
  v1::RecognizeStreamResponse response;
  int next = 0;
  while (stream->Read(&response)) {
    EXPECT_EQ(response.id(), static_cast<uint64_t>(next));
    if (next % 10 == 3) {
      EXPECT_EQ(response.error().code(), static_cast<int>(grpc::StatusCode::INVALID_ARGUMENT));
    } else {
      EXPECT_EQ(response.response().results(0).prediction().label(), std::to_string(next % 10));
    }
    ++next;
  }
  writer.join();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(next, kMessages);
}

TEST_F(DigitServiceTest, AStreamMessageHasItsOwnTimeout) {
  grpc::ClientContext context;
  auto stream = stub_->RecognizeStream(&context);
  v1::RecognizeStreamRequest request;
  request.mutable_request()->add_images()->set_pixels(Raw(1));
  request.mutable_timeout()->set_seconds(-1);
  ASSERT_TRUE(stream->Write(request));
  v1::RecognizeStreamResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_THAT(response.error().message(), HasSubstr("timeout"));
  request.mutable_timeout()->set_seconds(5);
  request.mutable_timeout()->set_nanos(-5);
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_THAT(response.error().message(), HasSubstr("timeout.nanos is -5"));
  request.mutable_timeout()->set_seconds(60);
  request.mutable_timeout()->set_nanos(0);
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.response().results(0).prediction().label(), "1");
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(DigitServiceTest, AStreamIsNotReadWhileTooMuchIsUnanswered) {
  engines_.control().ForgetBatches();
  engines_.control().Hold(true);
  grpc::ClientContext context;
  auto stream = stub_->RecognizeStream(&context);
  v1::RecognizeStreamRequest request;
  for (int i = 0; i < 8; ++i) *request.mutable_request()->mutable_packed_pixels() += Raw(i);
  ASSERT_TRUE(stream->Write(request));
  engines_.control().WaitUntilHeld(1);
  ASSERT_TRUE(stream->Write(request));  // buffered by the transport; not read by the server
  EXPECT_LE(pool_->num_queued_images(), 8);
  engines_.control().Hold(false);
  v1::RecognizeStreamResponse response;
  ASSERT_TRUE(stream->Read(&response));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.response().results_size(), 8);
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(DigitServiceTest, OnlyAStreamThatNothingMovesOnIsEndedAsIdle) {
  engines_.control().Hold(true);
  grpc::ClientContext busy_context, idle_context;
  auto busy = stub_->RecognizeStream(&busy_context);
  auto idle = stub_->RecognizeStream(&idle_context);
  v1::RecognizeStreamRequest empty, request;
  v1::RecognizeStreamResponse response;
  ASSERT_TRUE(idle->Write(empty));  // answered with an error, so the stream is known to be open
  ASSERT_TRUE(idle->Read(&response));
  request.mutable_request()->add_images()->set_pixels(Raw(1));
  ASSERT_TRUE(busy->Write(request));
  engines_.control().WaitUntilHeld(1);

  service_.EndIdleStreams(absl::Hours(1));  // the last message is not an hour ago
  ASSERT_TRUE(idle->Write(empty));
  ASSERT_TRUE(idle->Read(&response));

  // Its answer may be with the client before the server knows that it was sent: until then the stream is in use.
  std::atomic<bool> ended = false;
  std::thread ender([&] {
    while (!ended) {
      clock_.Advance(absl::Seconds(1));
      service_.EndIdleStreams(absl::Seconds(1));
    }
  });
  EXPECT_FALSE(idle->Read(&response));
  ended = true;
  ender.join();
  EXPECT_EQ(idle->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);

  engines_.control().Hold(false);
  ASSERT_TRUE(busy->Read(&response));
  EXPECT_EQ(response.response().results(0).prediction().label(), "1");
  busy->WritesDone();
  EXPECT_TRUE(busy->Finish().ok());
}

TEST_F(DigitServiceTest, ACancelledStreamEndsCleanly) {
  engines_.control().Hold(true);
  grpc::ClientContext context;
  auto stream = stub_->RecognizeStream(&context);
  v1::RecognizeStreamRequest request;
  request.mutable_request()->add_images()->set_pixels(Raw(1));
  ASSERT_TRUE(stream->Write(request));
  engines_.control().WaitUntilHeld(1);
  context.TryCancel();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  engines_.control().Hold(false);
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
