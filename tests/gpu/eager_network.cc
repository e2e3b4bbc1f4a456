#include "tests/gpu/eager_network.h"

#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/torch.h>

#include <cstring>

#include "model/spec/model_spec.h"

namespace digit {
namespace {

torch::Tensor OnGpu(absl::Span<const float> values, c10::IntArrayRef shape, torch::ScalarType type) {
  torch::Tensor tensor = torch::empty(shape, torch::kFloat);
  std::memcpy(tensor.data_ptr<float>(), values.data(), values.size() * sizeof(float));
  return tensor.to(torch::kCUDA, type);
}

}  // namespace

struct EagerNetwork::Parts {
  torch::ScalarType type = torch::kFloat;
  c10::cuda::CUDAStream stream = c10::cuda::getStreamFromPool();
  torch::Tensor conv1_weight, conv1_bias, conv2_weight, conv2_bias, fc1_weight, fc1_bias, fc2_weight, fc2_bias;
};

EagerNetwork::EagerNetwork(const DigitCnn& net, bool half) : parts_(std::make_unique<Parts>()) {
  at::globalContext().setAllowTF32CuDNN(true);
  const torch::ScalarType type = parts_->type = half ? torch::kHalf : torch::kFloat;
  parts_->conv1_weight = OnGpu(net.conv1_weight, {net.conv1_channels, 1, 3, 3}, type);
  parts_->conv1_bias = OnGpu(net.conv1_bias, {net.conv1_channels}, type);
  parts_->conv2_weight = OnGpu(net.conv2_weight, {net.conv2_channels, net.conv1_channels, 3, 3}, type);
  parts_->conv2_bias = OnGpu(net.conv2_bias, {net.conv2_channels}, type);
  parts_->fc1_weight = OnGpu(net.fc1_weight, {net.hidden, net.conv2_channels * kFeaturePixels}, type);
  parts_->fc1_bias = OnGpu(net.fc1_bias, {net.hidden}, type);
  parts_->fc2_weight = OnGpu(net.fc2_weight, {net.num_classes, net.hidden}, type);
  parts_->fc2_bias = OnGpu(net.fc2_bias, {net.num_classes}, type);
  c10::cuda::device_synchronize();  // the weights were copied on another stream
}

EagerNetwork::~EagerNetwork() = default;

void EagerNetwork::Infer(absl::Span<const uint8_t> pixels, absl::Span<float> scores) {
  const c10::InferenceMode inference_mode;
  const c10::cuda::CUDAStreamGuard on_stream(parts_->stream);
  const auto images = static_cast<int64_t>(pixels.size() / kImagePixels);
  torch::Tensor x =
      torch::from_blob(const_cast<uint8_t*>(pixels.data()), {images, 1, kImageSide, kImageSide}, torch::kByte);
  x = x.to(torch::kCUDA).to(parts_->type).div(255);
  x = torch::max_pool2d(torch::relu(torch::conv2d(x, parts_->conv1_weight, parts_->conv1_bias)), {2, 2});
  x = torch::max_pool2d(torch::relu(torch::conv2d(x, parts_->conv2_weight, parts_->conv2_bias)), {2, 2});
  x = torch::relu(torch::linear(torch::flatten(x, 1), parts_->fc1_weight, parts_->fc1_bias));
  x = torch::linear(x, parts_->fc2_weight, parts_->fc2_bias).cpu().to(torch::kFloat);
  std::memcpy(scores.data(), x.data_ptr<float>(), scores.size() * sizeof(float));
}

}  // namespace digit
