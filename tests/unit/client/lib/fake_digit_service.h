// A DigitService and a Health service on a port of their own, with answers scripted by the test. The hooks are set
// before the first call and run on gRPC's threads.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "digit/v1/digit.grpc.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace digit {

class FakeServer {
 public:
  using Stream = grpc::ServerReaderWriter<v1::RecognizeStreamResponse, v1::RecognizeStreamRequest>;

  // `port` 0: a free one.
  explicit FakeServer(int port = 0) : service_(this), health_(this) {
    grpc::ServerBuilder builder;
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddListeningPort(absl::StrCat("127.0.0.1:", port), grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&service_);
    builder.RegisterService(&health_);
    server_ = builder.BuildAndStart();
  }
  ~FakeServer() { server_->Shutdown(std::chrono::system_clock::now()); }

  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }
  int port() const { return port_; }

  std::function<grpc::Status(grpc::ServerContext*, const v1::RecognizeRequest&, v1::RecognizeResponse*)> recognize;
  // `connection`: 1 for the first stream.
  std::function<grpc::Status(int connection, grpc::ServerContext*, Stream*)> recognize_stream;
  std::function<grpc::health::v1::HealthCheckResponse::ServingStatus(const std::string& service)> check;
  std::atomic<int> calls = 0;  // of Recognize, or streams

 private:
  struct Digits : v1::DigitService::Service {
    explicit Digits(FakeServer* f) : fake(f) {}
    grpc::Status Recognize(grpc::ServerContext* context, const v1::RecognizeRequest* request,
                           v1::RecognizeResponse* response) override {
      ++fake->calls;
      return fake->recognize(context, *request, response);
    }
    grpc::Status RecognizeStream(grpc::ServerContext* context, Stream* stream) override {
      return fake->recognize_stream(++fake->calls, context, stream);
    }
    grpc::Status GetModel(grpc::ServerContext*, const v1::GetModelRequest* request,
                          v1::GetModelResponse* response) override {
      if (request->model() == "nope") return {grpc::StatusCode::NOT_FOUND, "model 'nope' is not loaded"};
      response->mutable_model()->set_name(request->model().empty() ? "mnist" : request->model());
      return grpc::Status::OK;
    }
    grpc::Status ListModels(grpc::ServerContext*, const v1::ListModelsRequest*,
                            v1::ListModelsResponse* response) override {
      response->add_models()->set_name("mnist");
      return grpc::Status::OK;
    }
    FakeServer* fake;
  };
  struct Health : grpc::health::v1::Health::Service {
    explicit Health(FakeServer* f) : fake(f) {}
    grpc::Status Check(grpc::ServerContext*, const grpc::health::v1::HealthCheckRequest* request,
                       grpc::health::v1::HealthCheckResponse* response) override {
      response->set_status(fake->check(request->service()));
      return grpc::Status::OK;
    }
    FakeServer* fake;
  };

  Digits service_;
  Health health_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace digit
