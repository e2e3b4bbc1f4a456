#include "daemon/rpc/rpc_metrics.h"

#include <cmath>

#include "gmock/gmock.h"
#include "grpcpp/generic/generic_stub.h"
#include "gtest/gtest.h"
#include "tests/support/metric_value.h"
#include "tests/unit/daemon/rpc/busy_loader.h"
#include "tests/unit/daemon/rpc/digit_service_fixture.h"

namespace digit {
namespace {

// The service once more, with metrics.
class RpcMetricsTest : public DigitServiceTest {
 protected:
  static DigitServiceImpl::Options WithMetrics(RpcMetrics* metrics) {
    DigitServiceImpl::Options options;
    options.metrics = metrics;
    return options;
  }
  void SetUp() override {
    DigitServiceTest::SetUp();
    grpc::ServerBuilder builder;
    builder.RegisterService(&counted_);
    counted_server_ = builder.BuildAndStart();
    counted_channel_ = counted_server_->InProcessChannel({});
    counted_stub_ = v1::DigitService::NewStub(counted_channel_);
  }
  void TearDown() override {
    counted_server_->Shutdown();
    DigitServiceTest::TearDown();
  }
  double Calls(const std::string& method, const std::string& code) const {
    return ValueOf(metrics_, "digit_rpc_requests_total", {method, code});
  }
  double TimedCalls(const std::string& method) const {
    return ValueOf(metrics_, "digit_rpc_duration_seconds", {method});
  }
  // Calls any method with an empty message, as a unary call.
  grpc::StatusCode CallEmpty(const std::string& method) {
    grpc::GenericStub stub(counted_channel_);
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    const grpc::Slice nothing;
    const grpc::ByteBuffer request(&nothing, 1);
    grpc::ByteBuffer response;
    grpc::Status status;
    const auto call = stub.PrepareUnaryCall(&context, "/digit.v1.DigitService/" + method, request, &queue);
    call->StartCall();
    call->Finish(&response, &status, nullptr);
    void* tag;
    bool ok;
    EXPECT_TRUE(queue.Next(&tag, &ok));
    return status.error_code();
  }

  MetricRegistry metrics_;
  RpcMetrics rpc_metrics_{&metrics_};
  DigitServiceImpl counted_{
      WithMetrics(&rpc_metrics_), &call_bytes_, &recognizer_, &registry_, &loader_, &corrections_, &trainings_};
  std::unique_ptr<grpc::Server> counted_server_;
  std::shared_ptr<grpc::Channel> counted_channel_;
  std::unique_ptr<v1::DigitService::Stub> counted_stub_;
};

TEST_F(RpcMetricsTest, CallsByMethodAndCode) {
  v1::RecognizeRequest request;
  request.set_packed_pixels(Raw(3));
  for (const char* model : {"fake", "fake", "other"}) {
    grpc::ClientContext context;
    v1::RecognizeResponse response;
    request.set_model(model);
    counted_stub_->Recognize(&context, request, &response);
  }
  EXPECT_EQ(Calls("Recognize", "OK"), 2);
  EXPECT_EQ(Calls("Recognize", "NOT_FOUND"), 1);
  EXPECT_EQ(Calls("Recognize", "RESOURCE_EXHAUSTED"), 0) << "there before it comes";
  EXPECT_EQ(TimedCalls("Recognize"), 3);
}

TEST_F(RpcMetricsTest, WhatWaitsForTheLoaderIsCancelledWhenItsCallerHasLeft) {
  const auto another = [this] { CallEmpty("ListModels"); };
  v1::ReloadModelRequest reload;
  v1::ReloadModelResponse reloaded;
  while (std::isnan(Calls("ReloadModel", "CANCELLED"))) {  // until it is seen, as the server may learn of it too late
    LeaveWhileTheLoaderIsBusy(
        &loader_,
        [&](grpc::ClientContext* context, std::function<void(grpc::Status)> ended) {
          counted_stub_->async()->ReloadModel(context, &reload, &reloaded, std::move(ended));
        },
        another);
  }
  v1::PromoteModelRequest promote;
  v1::PromoteModelResponse promoted;
  while (std::isnan(Calls("PromoteModel", "CANCELLED"))) {
    LeaveWhileTheLoaderIsBusy(
        &loader_,
        [&](grpc::ClientContext* context, std::function<void(grpc::Status)> ended) {
          counted_stub_->async()->PromoteModel(context, &promote, &promoted, std::move(ended));
        },
        another);
  }
}

TEST_F(RpcMetricsTest, MessagesOfAStreamAndHowManyStreamsAreOpen) {
  grpc::ClientContext context;
  const auto stream = counted_stub_->RecognizeStream(&context);
  v1::RecognizeStreamRequest message;
  v1::RecognizeStreamResponse answer;
  for (const int images : {1, 0, 2}) {
    message.mutable_request()->clear_packed_pixels();
    for (int i = 0; i < images; ++i) *message.mutable_request()->mutable_packed_pixels() += Raw(1);
    ASSERT_TRUE(stream->Write(message));
    ASSERT_TRUE(stream->Read(&answer));
  }
  EXPECT_EQ(counted_.streams().size(), 1);
  EXPECT_EQ(Calls("RecognizeStream", "OK"), 2);
  EXPECT_EQ(Calls("RecognizeStream", "INVALID_ARGUMENT"), 1);
  EXPECT_EQ(TimedCalls("RecognizeStream"), 3);
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

// Whoever adds a method finds out here that it counts nothing: see StartCall(), and StartTimer() for streams.
TEST_F(RpcMetricsTest, EveryMethodThatIsThereIsCounted) {
  const auto* service = v1::RecognizeRequest::descriptor()->file()->FindServiceByName("DigitService");
  int seen = 0;
  for (int i = 0; i < service->method_count(); ++i) {
    const std::string method = service->method(i)->name();
    if (method == "RecognizeStream") continue;  // counts messages
    const double before = TimedCalls(method);
    if (CallEmpty(method) == grpc::StatusCode::UNIMPLEMENTED) continue;
    EXPECT_EQ(TimedCalls(method), std::isnan(before) ? 1 : before + 1) << method;
    ++seen;
  }
  EXPECT_GE(seen, 15);
}

}  // namespace
}  // namespace digit
