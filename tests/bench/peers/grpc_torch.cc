// grpc_torch MODEL.pt: C++ gRPC and LibTorch, each call alone through the network, without batching. Takes raw pictures
// only. Prints "listening on HOST:PORT" once it serves. Runs calls on gRPC's own threads: with the network in
// callbacks, which the two threads that poll would run, it was slower.
#include <grpcpp/grpcpp.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/script.h>
#include <torch/torch.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

#include "digit/v1/digit.grpc.pb.h"

namespace {

using namespace digit::v1;  // NOLINT: a program of one file

constexpr int64_t kPixels = 28 * 28;

// Thread-safe.
class Network {
 public:
  explicit Network(const std::string& path) {
    module_ = torch::jit::load(path);
    module_.eval();
    module_ = torch::jit::freeze(module_);
    module_ = torch::jit::optimize_for_inference(module_);
    Run(std::string(kPixels, '\0'));
  }

  // One row of probabilities a picture.
  torch::Tensor Run(const std::string& pixels) {
    thread_local const bool one_core_a_call = (at::set_num_threads(1), true);  // OpenMP keeps this number per thread
    static_cast<void>(one_core_a_call);
    const c10::InferenceMode inference_mode;
    const torch::jit::GraphOptimizerEnabledGuard optimised_already(false);
    const auto images = static_cast<int64_t>(pixels.size()) / kPixels;
    const torch::Tensor bytes = torch::from_blob(const_cast<char*>(pixels.data()), {images, 1, 28, 28}, torch::kByte);
    return torch::softmax(module_.forward({bytes.to(torch::kFloat).div_(255)}).toTensor(), 1).contiguous();
  }

 private:
  torch::jit::Module module_;
};

void FillModel(Model* model) {
  model->set_name("mnist");
  model->set_is_default(true);
  ModelVersion* version = model->add_versions();
  version->set_version("1");
  version->set_state(MODEL_STATE_LIVE);
  for (int digit = 0; digit < 10; ++digit) version->add_labels(std::to_string(digit));
}

void FillResponse(const torch::Tensor& rows, RecognizeResponse* response) {
  const float* row = rows.data_ptr<float>();
  for (int64_t i = 0; i < rows.size(0); ++i, row += rows.size(1)) {
    Prediction* prediction = response->add_results()->mutable_prediction();
    const float* best = std::max_element(row, row + rows.size(1));
    prediction->set_label(std::to_string(best - row));
    prediction->set_confidence(*best);
    prediction->mutable_probabilities()->Add(row, row + rows.size(1));
  }
  response->set_model("mnist");
  response->set_version("1");
}

grpc::Status Recognise(Network& network, const RecognizeRequest& request, RecognizeResponse* response) {
  std::string pixels;
  for (const Image& image : request.images()) pixels += image.pixels();
  pixels += request.packed_pixels();
  if (pixels.empty() || pixels.size() % kPixels != 0) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "raw pictures of 784 bytes, one or more"};
  }
  FillResponse(network.Run(pixels), response);
  return grpc::Status::OK;
}

class DigitServer final : public DigitService::Service {
 public:
  explicit DigitServer(Network& network) : network_(network) {}

 private:
  grpc::Status Recognize(grpc::ServerContext*, const RecognizeRequest* request, RecognizeResponse* response) override {
    return Recognise(network_, *request, response);
  }
  grpc::Status ListModels(grpc::ServerContext*, const ListModelsRequest*, ListModelsResponse* response) override {
    FillModel(response->add_models());
    return grpc::Status::OK;
  }
  grpc::Status GetModel(grpc::ServerContext*, const GetModelRequest*, GetModelResponse* response) override {
    FillModel(response->mutable_model());
    return grpc::Status::OK;
  }

  Network& network_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  Network network(argv[1]);
  DigitServer service(network);
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);  // a little faster than one for each core
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  std::printf("listening on 127.0.0.1:%d\n", port);
  std::fflush(stdout);
  server->Wait();
  return 0;
}
