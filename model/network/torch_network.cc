#include "model/network/torch_network.h"

#include <torch/script.h>

#include <exception>
#include <memory>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/spec/model_spec.h"

namespace digit {
namespace {

constexpr char kForward[] = R"(
def forward(self, x):
    x = torch.max_pool2d(torch.relu(torch.conv2d(x, self.conv1.weight, self.conv1.bias)), [2, 2])
    x = torch.max_pool2d(torch.relu(torch.conv2d(x, self.conv2.weight, self.conv2.bias)), [2, 2])
    x = torch.relu(torch.linear(torch.flatten(x, 1), self.fc1.weight, self.fc1.bias))
    return torch.linear(x, self.fc2.weight, self.fc2.bias)
)";

absl::Status CheckSizes(const DigitCnnWeights& weights) {
  for (size_t i = 0; i < weights.size(); ++i) {
    if (static_cast<int>(weights[i].size()) != kDigitCnnParameters[i].size) {
      return absl::InvalidArgumentError(absl::StrCat("parameter ", std::string(kDigitCnnParameters[i].name), " has ",
                                                     weights[i].size(), " values, the network needs ",
                                                     kDigitCnnParameters[i].size));
    }
  }
  return absl::OkStatus();
}

// Throws c10::Error.
torch::jit::Module MakeModule(const DigitCnnWeights& weights) {
  // A compilation unit of its own keeps the class names, and so the bytes of the file, the same every time.
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  torch::jit::Module network(c10::QualifiedName("__torch__.DigitCnn"), unit);
  torch::jit::Module* layer = nullptr;
  std::vector<std::pair<std::string, std::unique_ptr<torch::jit::Module>>> layers;
  for (size_t i = 0; i < weights.size(); ++i) {
    const std::string name(kDigitCnnParameters[i].name);
    const size_t dot = name.find('.');
    const std::string layer_name = name.substr(0, dot);
    if (layers.empty() || layers.back().first != layer_name) {
      const c10::QualifiedName type("__torch__." + layer_name);
      layers.emplace_back(layer_name, std::make_unique<torch::jit::Module>(type, unit));
      layer = layers.back().second.get();
    }
    const c10::IntArrayRef shape(kDigitCnnParameters[i].shape.data(), kDigitCnnParameters[i].shape.size());
    layer->register_parameter(name.substr(dot + 1), torch::tensor(weights[i]).reshape(shape), /*is_buffer=*/false);
  }
  for (const auto& [name, module] : layers) network.register_module(name, *module);
  network.define(kForward);
  network.eval();
  return network;
}

absl::Status TorchFailed(const char* what, const std::exception& error) {
  const std::string text = error.what();
  return absl::InternalError(absl::StrCat("LibTorch could not ", what, ": ", text.substr(0, text.find('\n'))));
}

}  // namespace

absl::StatusOr<std::string> ToTorchScript(const DigitCnnWeights& weights, absl::string_view model_json) {
  RETURN_IF_ERROR(CheckSizes(weights));
  try {
    std::ostringstream out;
    MakeModule(weights).save(out, {{"model.json", std::string(model_json)}});
    return out.str();
  } catch (const std::exception& error) {
    return TorchFailed("write the network", error);
  }
}

absl::StatusOr<std::vector<float>> TorchLogits(const DigitCnnWeights& weights, absl::Span<const uint8_t> pixels) {
  RETURN_IF_ERROR(CheckSizes(weights));
  if (pixels.size() % kImagePixels != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(pixels.size(), " bytes are no whole number of pictures of ", kImagePixels));
  }
  if (pixels.empty()) return std::vector<float>();
  try {
    const c10::InferenceMode no_gradients;
    const auto images = static_cast<int64_t>(pixels.size() / kImagePixels);
    torch::Tensor input = torch::empty({images, 1, kImageSide, kImageSide}, torch::kUInt8);
    std::copy(pixels.begin(), pixels.end(), input.data_ptr<uint8_t>());
    const torch::Tensor logits =
        MakeModule(weights).forward({input.to(torch::kFloat32).div(255)}).toTensor().contiguous();
    const float* values = logits.data_ptr<float>();
    return std::vector<float>(values, values + logits.numel());
  } catch (const std::exception& error) {
    return TorchFailed("run the network", error);
  }
}

}  // namespace digit
