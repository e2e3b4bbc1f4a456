#include "daemon/rpc/oip/infer_stream.h"

#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/daemon/rpc/end_streams.h"
#include "tests/unit/daemon/rpc/oip/oip_fixture.h"

namespace digit {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

class InferStreamTest : public OipTest {
 protected:
  using Stream = grpc::ClientReaderWriter<inference::ModelInferRequest, inference::ModelStreamInferResponse>;

  static inference::ModelInferRequest MessageOf(int id) {
    inference::ModelInferRequest message = PixelsRequest(id % 10);
    message.set_id(std::to_string(id));
    return message;
  }
  static void ExpectAnswers(Stream* stream, int first, int last) {
    inference::ModelStreamInferResponse response;
    for (int id = first; id <= last; ++id) {
      ASSERT_TRUE(stream->Read(&response)) << id;
      EXPECT_EQ(response.error_message(), "");
      EXPECT_EQ(response.infer_response().id(), std::to_string(id));
      EXPECT_THAT(BytesOf(response.infer_response(), "label"), ElementsAre(std::to_string(id % 10)));
      EXPECT_TRUE(response.infer_response().parameters().at("triton_final_response").bool_param());
    }
  }
};

TEST_F(InferStreamTest, AnswersInOrderAndAnErrorIsAnAnswer) {
  grpc::ClientContext context;
  auto stream = stub_->ModelStreamInfer(&context);
  constexpr int kMessages = 100;
  std::thread writer([&] {
    for (int id = 0; id < kMessages; ++id) {
      inference::ModelInferRequest message = MessageOf(id);
      if (id % 10 == 3) message.mutable_inputs(0)->set_shape(0, -1);
      if (id % 10 == 4) message.set_model_name("other");
      if (id % 10 == 5) message.set_raw_input_contents(0, std::string(kImagePixels, '\0'));
      stream->Write(message);
    }
    stream->WritesDone();
  });
  for (int id = 0; id < kMessages; ++id) {
    const char* const errors[] = {"INVALID_ARGUMENT: input 'pixels' has shape [-1,28,28]",
                                  "NOT_FOUND: ", "INVALID_ARGUMENT: pixels[0]: no digit found"};
    if (id % 10 < 3 || id % 10 > 5) {
      ExpectAnswers(stream.get(), id, id);
      continue;
    }
    inference::ModelStreamInferResponse response;
    ASSERT_TRUE(stream->Read(&response)) << id;
    EXPECT_THAT(response.error_message(), StartsWith(errors[id % 10 - 3]));
    EXPECT_EQ(response.infer_response().id(), std::to_string(id));
    EXPECT_EQ(response.infer_response().outputs_size(), 0);
  }
  writer.join();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(InferStreamTest, FloatsAreKeptUntilTheirAnswer) {
  engines_.control().Hold(true);
  grpc::ClientContext context;
  auto stream = stub_->ModelStreamInfer(&context);
  std::vector<float> values(kImagePixels, 0);
  for (int c = 0; c < 5; ++c) {
    inference::ModelInferRequest message = RequestOf("pixels", "FP32", {1, 28, 28});
    values[0] = static_cast<float>(10 + c) / 255;
    message.add_raw_input_contents(RawOf(values));
    message.set_id(std::to_string(c));
    ASSERT_TRUE(stream->Write(message));
  }
  engines_.control().WaitUntilHeld(1);
  engines_.control().Hold(false);
  ExpectAnswers(stream.get(), 0, 4);
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(InferStreamTest, ADrainAnswersWhatWasReadAndEndsTheStream) {
  engines_.control().Hold(true);
  grpc::ClientContext context;
  auto stream = stub_->ModelStreamInfer(&context);
  ASSERT_TRUE(stream->Write(MessageOf(0)));
  engines_.control().WaitUntilHeld(1);
  for (int id = 1; id <= 3; ++id) ASSERT_TRUE(stream->Write(MessageOf(id)));
  while (pool_->num_queued_images() < 3) std::this_thread::yield();
  EXPECT_EQ(service_->streams().size(), 1);
  service_->streams().StopReading();
  engines_.control().Hold(false);
  ExpectAnswers(stream.get(), 0, 3);
  EndStreams(&service_->streams());
  inference::ModelStreamInferResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(InferStreamTest, ACancelledStreamEndsCleanly) {
  engines_.control().Hold(true);
  grpc::ClientContext context;
  auto stream = stub_->ModelStreamInfer(&context);
  ASSERT_TRUE(stream->Write(MessageOf(1)));
  engines_.control().WaitUntilHeld(1);
  context.TryCancel();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  engines_.control().Hold(false);
}

}  // namespace
}  // namespace digit
