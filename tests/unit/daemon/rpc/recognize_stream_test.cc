#include "daemon/rpc/recognize_stream.h"

#include <atomic>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/daemon/rpc/digit_service_fixture.h"
#include "tests/unit/daemon/rpc/end_streams.h"

namespace digit {
namespace {

using ::testing::HasSubstr;

class RecognizeStreamTest : public DigitServiceTest {
 protected:
  using Stream = grpc::ClientReaderWriter<v1::RecognizeStreamRequest, v1::RecognizeStreamResponse>;
  static v1::RecognizeStreamRequest MessageOf(int id, int num_images = 1) {
    v1::RecognizeStreamRequest message;
    message.set_id(id);
    for (int i = 0; i < num_images; ++i) *message.mutable_request()->mutable_packed_pixels() += Raw(id % 10);
    return message;
  }
  // Reads answers with the ids first..last, each a digit.
  static void ExpectAnswers(Stream* stream, int first, int last) {
    v1::RecognizeStreamResponse response;
    for (int id = first; id <= last; ++id) {
      ASSERT_TRUE(stream->Read(&response)) << id;
      EXPECT_EQ(response.id(), static_cast<uint64_t>(id));
      EXPECT_EQ(response.response().results(0).prediction().label(), std::to_string(id % 10));
    }
  }
  void WaitUntilQueued(int images) {
    while (pool_->num_queued_images() < images) std::this_thread::yield();
  }
};

TEST_F(RecognizeStreamTest, AnswersInOrderAndAnErrorDoesNotEndIt) {
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

TEST_F(RecognizeStreamTest, AMessageHasItsOwnTimeout) {
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

TEST_F(RecognizeStreamTest, IsNotReadWhileTooMuchIsUnanswered) {
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

TEST_F(RecognizeStreamTest, OnlyAStreamThatNothingMovesOnIsEndedAsIdle) {
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

  service_.streams().EndIdle(absl::Hours(1));  // the last message is not an hour ago
  ASSERT_TRUE(idle->Write(empty));
  ASSERT_TRUE(idle->Read(&response));

  // Its answer may be with the client before the server knows that it was sent: until then the stream is in use.
  std::atomic<bool> ended = false;
  std::thread ender([&] {
    while (!ended) {
      clock_.Advance(absl::Seconds(1));
      service_.streams().EndIdle(absl::Seconds(1));
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

TEST_F(RecognizeStreamTest, ACancelledStreamEndsCleanly) {
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

TEST_F(RecognizeStreamTest, IsNotReadWhileTooManyBytesAreUnanswered) {
  static_assert(kMaxUnansweredBytes < 8 * kImagePixels);  // the bound on images is 8
  engines_.control().Hold(true);
  grpc::ClientContext context;
  auto stream = stub_->RecognizeStream(&context);
  v1::RecognizeStreamRequest message = MessageOf(0);
  message.mutable_request()->set_model("none");  // answered at once, so it does not count
  message.mutable_request()->mutable_packed_pixels()->append(size_t{2} * kMaxUnansweredBytes, 'x');
  ASSERT_TRUE(stream->Write(message));  // larger than the bound: read all the same, as nothing is unanswered
  v1::RecognizeStreamResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(response.has_error());
  // An image that is no picture waits for nothing but its message's others: 5,000 bytes more.
  message = MessageOf(1);
  message.mutable_request()->add_images()->set_pixels(std::string(kMaxUnansweredBytes, 'x'));
  ASSERT_TRUE(stream->Write(message));
  engines_.control().WaitUntilHeld(1);
  ASSERT_TRUE(stream->Write(MessageOf(2)));  // not read: nothing else would keep it from the queue
  EXPECT_EQ(pool_->num_queued_images(), 0);
  engines_.control().Hold(false);
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(response.response().results(0).has_error());
  EXPECT_EQ(response.response().results(1).prediction().label(), "1");
  ExpectAnswers(stream.get(), 2, 2);
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(RecognizeStreamTest, AnswersThatAreReadyTogetherAllArrive) {
  grpc::ClientContext context;
  auto stream = stub_->RecognizeStream(&context);
  for (int round = 0; round < 50; ++round) {
    engines_.control().Hold(true);
    ASSERT_TRUE(stream->Write(MessageOf(0)));
    engines_.control().WaitUntilHeld(1);
    for (int id = 1; id <= 6; ++id) ASSERT_TRUE(stream->Write(MessageOf(id)));
    WaitUntilQueued(6);
    engines_.control().Hold(false);
    ExpectAnswers(stream.get(), 0, 6);  // the client waits for the last one, so no later write would flush it
  }
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

// gRPC never completes a first write that it was told not to flush, unless something else makes it write.
TEST_F(RecognizeStreamTest, TheFirstAnswerArrivesThoughTheSecondIsReady) {
  for (int round = 0; round < 50; ++round) {
    engines_.control().Hold(true);
    grpc::ClientContext context;
    auto stream = stub_->RecognizeStream(&context);
    ASSERT_TRUE(stream->Write(MessageOf(1)));
    engines_.control().WaitUntilHeld(1);
    ASSERT_TRUE(stream->Write({}));  // answered as soon as it is read
    ASSERT_TRUE(stream->Write(MessageOf(2)));
    WaitUntilQueued(1);  // so the one before it was read
    engines_.control().Hold(false);
    ExpectAnswers(stream.get(), 1, 1);
    v1::RecognizeStreamResponse response;
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_TRUE(response.has_error());
    ExpectAnswers(stream.get(), 2, 2);
    stream->WritesDone();
    EXPECT_TRUE(stream->Finish().ok());
  }
}

TEST_F(RecognizeStreamTest, StopReadingAnswersWhatWasReadAndKeepsTheStreamUntilItIsEnded) {
  engines_.control().Hold(true);
  grpc::ClientContext context;
  auto stream = stub_->RecognizeStream(&context);
  ASSERT_TRUE(stream->Write(MessageOf(0)));
  engines_.control().WaitUntilHeld(1);
  for (int id = 1; id <= 3; ++id) ASSERT_TRUE(stream->Write(MessageOf(id)));
  WaitUntilQueued(3);
  service_.streams().StopReading();
  ASSERT_TRUE(stream->Write(MessageOf(4)));          // perhaps for a read that is under way
  ASSERT_TRUE(stream->Write(MessageOf(5)));          // not read
  service_.streams().EndIdle(absl::ZeroDuration());  // not idle
  engines_.control().Hold(false);
  ExpectAnswers(stream.get(), 0, 3);
  EXPECT_EQ(service_.streams().size(), 1);
  EndStreams(&service_.streams());
  v1::RecognizeStreamResponse response;
  if (stream->Read(&response)) {
    EXPECT_EQ(response.id(), 4);
    EXPECT_FALSE(stream->Read(&response));
  }
  const grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(status.error_message(), "the server is stopping; send again what has no answer");

  grpc::ClientContext late_context;
  EXPECT_EQ(stub_->RecognizeStream(&late_context)->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

// A client that never stops sending: what it got are answers to all messages up to some point.
TEST_F(RecognizeStreamTest, ABusyStreamIsEndedWithoutAHoleInItsAnswers) {
  for (int round = 0; round < 20; ++round) {
    DigitServiceImpl::Options options;
    options.max_unanswered_images = 8;
    DigitServiceImpl service(options, &call_bytes_, &recognizer_, &registry_, &loader_, &corrections_, &trainings_);
    grpc::ServerBuilder builder;
    builder.RegisterService(&service);
    const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    const auto stub = v1::DigitService::NewStub(server->InProcessChannel({}));
    grpc::ClientContext context;
    auto stream = stub->RecognizeStream(&context);
    std::thread writer([&] {
      for (int id = 0; stream->Write(MessageOf(id)); ++id) continue;
    });
    ExpectAnswers(stream.get(), 0, 10 * round);
    std::thread drain([&] { EndStreams(&service.streams()); });
    v1::RecognizeStreamResponse response;
    for (int id = 10 * round + 1; stream->Read(&response); ++id) {
      EXPECT_EQ(response.id(), static_cast<uint64_t>(id));
      EXPECT_EQ(response.response().results(0).prediction().label(), std::to_string(id % 10));
    }
    writer.join();
    drain.join();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
    server->Shutdown();
  }
}

TEST_F(RecognizeStreamTest, APriorityThatDoesNotExistIsAnAnswer) {
  grpc::ClientContext context;
  auto stream = stub_->RecognizeStream(&context);
  v1::RecognizeStreamRequest message = MessageOf(1);
  message.mutable_request()->mutable_options()->set_priority(static_cast<v1::Priority>(99));
  ASSERT_TRUE(stream->Write(message));
  v1::RecognizeStreamResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.error().code(), static_cast<int>(grpc::StatusCode::INVALID_ARGUMENT));
  EXPECT_THAT(response.error().message(), HasSubstr("options.priority is 99"));
  ASSERT_TRUE(stream->Write(MessageOf(2)));
  ExpectAnswers(stream.get(), 2, 2);
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

// A string that is not UTF-8 makes a proto3 client refuse the message and with it the stream.
TEST_F(RecognizeStreamTest, AMessageIsCutBetweenCharacters) {
  grpc::ClientContext context;
  auto stream = stub_->RecognizeStream(&context);
  for (int offset = 0; offset < 4; ++offset) {
    v1::RecognizeStreamRequest message = MessageOf(1);
    std::string name(offset, 'x');
    for (int i = 0; i < 512; ++i) name += "\U0001d7d9";  // 2 KiB
    message.mutable_request()->set_model(name);
    ASSERT_TRUE(stream->Write(message));
    v1::RecognizeStreamResponse response;
    ASSERT_TRUE(stream->Read(&response)) << offset;
    EXPECT_EQ(response.error().code(), static_cast<int>(grpc::StatusCode::NOT_FOUND));
    EXPECT_GT(response.error().message().size(), 1020u);
    EXPECT_LE(response.error().message().size(), 1024u);
  }
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

}  // namespace
}  // namespace digit
