// The real DigitServiceImpl on port 0, a real client, a FakeEngine.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "daemon/feedback/sqlite_feedback_store.h"
#include "daemon/rpc/digit_service.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"
#include "tests/support/fake_engine.h"
#include "tests/support/simulated_clock.h"

namespace digit {

inline std::string Raw(int c) {
  std::string bytes(kImagePixels, '\0');
  bytes[0] = static_cast<char>(10 + c);  // a FakeEngine says c; never blank
  return bytes;
}

inline std::string TrailerOf(const grpc::ClientContext& context, const std::string& name) {
  const auto found = context.GetServerTrailingMetadata().find(name);
  if (found == context.GetServerTrailingMetadata().end()) return "";
  return std::string(found->second.data(), found->second.size());
}

inline constexpr int kMaxQueuedImages = 64;
inline constexpr size_t kMaxUnansweredBytes = 6000;  // of a stream
inline constexpr size_t kMaxCallBytes = 200'000;     // of all unary calls

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
  void TearDown() override {
    server_->Shutdown();
    std::filesystem::remove_all(scratch_);
  }

  Trainings::Options TrainingOptions() {
    Trainings::Options options;
    options.state = &state_;
    options.trainer = scratch_ + "/trainer";  // not there unless a test writes it
    options.version = "test";
    options.data_dir = scratch_ + "/data";
    options.model_name = [](const std::string&) { return std::string("fake"); };
    options.live_model = [](const std::string&) { return ModelFiles{.bytes = "live"}; };
    options.wall_time = [now = absl::UnixEpoch()]() mutable { return now += absl::Seconds(1); };
    return options;
  }

  FakeEngineFactory engines_;
  std::unique_ptr<Pool> pool_ =
      *Pool::Create({.max_batch_size = 4, .max_queued_images = kMaxQueuedImages, .engines = &engines_});
  ModelRegistry registry_{pool_.get()};
  DecodePool decode_pool_{{.threads = 1}};
  Recognizer recognizer_{{}, &registry_, &decode_pool_};
  ModelLoader loader_{{.registry = &registry_}};
  char scratch_name_[32] = "/tmp/digit-service.XXXXXX";
  const std::string scratch_ = mkdtemp(scratch_name_);
  StateFolder state_{scratch_ + "/state"};
  SqliteFeedbackStore feedback_{SqliteFeedbackStore::Options{.folder = &state_}};
  Corrections corrections_{
      Corrections::Options{.registry = &registry_, .decode_pool = &decode_pool_, .store = &feedback_}};
  Trainings trainings_{TrainingOptions()};
  SimulatedClock clock_{SteadyClock()->Now()};  // the pool has the real one
  CallBytes call_bytes_{kMaxCallBytes};
  DigitServiceImpl service_{{.max_unanswered_images = 8, .max_unanswered_bytes = kMaxUnansweredBytes, .clock = &clock_},
                            &call_bytes_,
                            &recognizer_,
                            &registry_,
                            &loader_,
                            &corrections_,
                            &trainings_};
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::DigitService::Stub> stub_;
};

}  // namespace digit
