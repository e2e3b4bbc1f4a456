// The real InferenceServiceImpl on port 0, a real client, a FakeEngine.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "daemon/rpc/oip/inference_service.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"
#include "model/image/image_framer.h"
#include "tests/support/fake_engine.h"
#include "tests/unit/daemon/rpc/oip/tensors.h"

namespace digit {

class OipTest : public ::testing::Test {
 protected:
  using Stub = inference::GRPCInferenceService::Stub;

  void SetUp() override {
    InitImageLibrary();
    ASSERT_TRUE(registry_.Add("fake", "1", FakeModel(), absl::UnixEpoch()).ok());
    const InferenceServiceImpl::Options options;
    Serve(options);
  }
  void TearDown() override { server_->Shutdown(); }

  void Serve(InferenceServiceImpl::Options options) {
    if (server_ != nullptr) server_->Shutdown();
    options.max_unanswered_images = 8;
    options.is_ready = [this] { return ready_.load(); };
    options.wall_time = [] { return absl::FromUnixSeconds(1'800'000'000); };
    service_ = std::make_unique<InferenceServiceImpl>(options, &call_bytes_, &recognizer_, &registry_, &loader_);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    channel_ = grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials());
    stub_ = inference::GRPCInferenceService::NewStub(channel_);
  }

  // `method`: &Stub::ModelInfer, ...
  template <typename Request, typename Response>
  grpc::Status Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response* response, const std::string& token = "") {
    grpc::ClientContext context;
    if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
    return (stub_.get()->*method)(&context, request, response);
  }
  grpc::Status Infer(const inference::ModelInferRequest& request, inference::ModelInferResponse* response) {
    return Call(&Stub::ModelInfer, request, response);
  }

  FakeEngineFactory engines_;
  std::unique_ptr<Pool> pool_ = *Pool::Create({.max_batch_size = 4, .max_queued_images = 64, .engines = &engines_});
  ModelRegistry registry_{pool_.get()};
  DecodePool decode_pool_{{.threads = 1}};
  Recognizer recognizer_{{}, &registry_, &decode_pool_};
  ModelLoader loader_{{.registry = &registry_}};
  CallBytes call_bytes_{200'000};
  std::atomic<bool> ready_{true};
  std::unique_ptr<InferenceServiceImpl> service_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Stub> stub_;
};

}  // namespace digit
