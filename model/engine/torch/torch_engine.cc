// libdigit_torch.so: LibTorch behind InferenceEngine, for LibTorch 1.13 and 2.x, CPU and CUDA. Exports the two C
// functions of model/engine/torch_module.h and nothing else. No exception of LibTorch gets out.
#include <ATen/Parallel.h>
#include <caffe2/serialize/read_adapter_interface.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/script.h>
#include <torch/torch.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/build_info.h"
#include "base/check.h"
#include "base/status.h"
#include "model/engine/digit_cnn.h"
#include "model/engine/inference_engine.h"
#include "model/engine/model.h"
#ifdef DIGIT_TORCH_CUDA
#include "model/engine/torch/cuda_engine.h"
#endif
#include "model/engine/torch/guarded.h"
#include "model/engine/torch/torch_device.h"

namespace digit {
namespace {

// LibTorch reads the file out of Model::bytes, without a copy.
class BytesReader final : public caffe2::serialize::ReadAdapterInterface {
 public:
  explicit BytesReader(absl::string_view bytes) : bytes_(bytes) {}
  size_t size() const override { return bytes_.size(); }
  size_t read(uint64_t pos, void* buf, size_t n, const char* /*what*/) const override {
    if (pos >= bytes_.size()) return 0;
    const size_t count = std::min<size_t>(n, bytes_.size() - pos);
    std::memcpy(buf, bytes_.data() + pos, count);
    return count;
  }

 private:
  const absl::string_view bytes_;
};

// The network of model/engine/digit_cnn.h. Input rows and columns 26 and 27 never reach an output; and the maximum
// before relu is the same as after it, on a quarter of the values.
constexpr char kDigitCnnSource[] = R"(
def forward(self, x):
    x = torch.relu(torch.max_pool2d(torch.conv2d(x[:, :, :26, :26], self.conv1_weight, self.conv1_bias), [2, 2]))
    x = torch.relu(torch.max_pool2d(torch.conv2d(x, self.conv2_weight, self.conv2_bias), [2, 2]))
    x = torch.relu(torch.linear(torch.flatten(x, 1), self.fc1_weight, self.fc1_bias))
    return torch.linear(x, self.fc2_weight, self.fc2_bias)
)";

// From the tensors, never from the file's code.
torch::jit::Module BuildDigitCnn(const std::vector<NamedTensor>& tensors) {
  torch::jit::Module module("DigitCnn");
  for (const NamedTensor& tensor : tensors) {
    std::string attribute = tensor.name;  // "conv1.weight" -> conv1_weight
    std::replace(attribute.begin(), attribute.end(), '.', '_');
    torch::Tensor value = torch::empty(tensor.shape, torch::kFloat);
    std::memcpy(value.data_ptr<float>(), tensor.values.data(), tensor.values.size() * sizeof(float));
    module.register_parameter(attribute, value, /*is_buffer=*/false);
  }
  module.define(kDigitCnnSource);
  return module;
}

// What LibTorch keeps per thread; for every call into it, made by whichever thread owns the engine now.
struct ThreadScope {
  ThreadScope() {
    // One core an executor. OpenMP keeps this number per thread.
    thread_local const bool set_once = (at::set_num_threads(1), true);
    static_cast<void>(set_once);
  }
  c10::InferenceMode inference_mode;
};

class TorchEngine final : public InferenceEngine {
 public:
  static absl::StatusOr<std::unique_ptr<InferenceEngine>> Create(const Model& model, const Device& device) {
    std::unique_ptr<TorchEngine> engine(new TorchEngine);
    const absl::Status status =
        Guarded(absl::StatusCode::kInvalidArgument, "load it", [&] { return engine->Load(model, device); });
    if (!status.ok()) return status;
    return engine;
  }

  absl::Status Infer(absl::Span<const uint8_t> pixels, absl::Span<float> scores) override {
    const auto images = static_cast<int64_t>(pixels.size() / kImagePixels);
    DIGIT_CHECK(images >= 1 && pixels.size() == static_cast<size_t>(images) * kImagePixels);
    DIGIT_CHECK(scores.size() == static_cast<size_t>(images) * num_classes_);
    return Guarded(absl::StatusCode::kInternal, "run the model", [&] {
      const ThreadScope scope;
      const absl::StatusOr<torch::Tensor> rows = Forward(pixels.data(), images);
      if (!rows.ok()) return absl::InternalError(rows.status().message());
      if (rows->size(1) != num_classes_) {
        return absl::InternalError(absl::StrCat("the model gave rows of ", num_classes_, " outputs and now of ",
                                                rows->size(1), " for a batch of ", images));
      }
      std::memcpy(scores.data(), rows->data_ptr<float>(), scores.size() * sizeof(float));
      return absl::OkStatus();
    });
  }
  int num_classes() const override { return num_classes_; }
  absl::string_view name() const override { return "torch"; }

 private:
  TorchEngine() = default;

  absl::Status Load(const Model& model, const Device& device) {
    const ThreadScope scope;
    ASSIGN_OR_RETURN(device_, FindTorchDevice(device));
    module_ = model.is_digit_cnn
                  ? BuildDigitCnn(model.file.tensors)
                  : torch::jit::load(std::make_shared<BytesReader>(absl::string_view(model.bytes)), device_);
    module_.to(device_);
    module_.eval();
    Optimize();
    return TryOut();
  }

  // Freezing needs a module that does not change itself, and oneDNN's layouts not every operator knows: a model that
  // does not take it runs as it is.
  void Optimize() {
    const torch::jit::Module plain = module_;
    try {
      module_ = torch::jit::freeze(module_);
      module_ = torch::jit::optimize_for_inference(module_);
      if (TryOut().ok()) return;
    } catch (const std::exception&) {
      // As it was.
    }
    module_ = plain;
  }

  // Finds the number of classes: one image and two must give one row each, of the same length.
  absl::Status TryOut() {
    const std::vector<uint8_t> paper(2 * kImagePixels, 0);
    ASSIGN_OR_RETURN(const torch::Tensor one, Forward(paper.data(), 1));
    ASSIGN_OR_RETURN(const torch::Tensor two, Forward(paper.data(), 2));
    if (one.size(1) != two.size(1) || one.size(1) < 1 || one.size(1) > kMaxClasses) {
      return absl::InvalidArgumentError(absl::StrCat("the model gives ", one.size(1), " outputs for one image and ",
                                                     two.size(1), " for each of two; needed: the same, 1..",
                                                     kMaxClasses));
    }
    num_classes_ = static_cast<int>(one.size(1));
    return absl::OkStatus();
  }

  // [images, K], float, contiguous, on the CPU; may throw.
  absl::StatusOr<torch::Tensor> Forward(const uint8_t* pixels, int64_t images) {
    const torch::Tensor bytes =
        torch::from_blob(const_cast<uint8_t*>(pixels), {images, 1, kImageSide, kImageSide}, torch::kByte);
    const torch::Tensor input = bytes.to(device_, torch::kFloat).div_(255);
    // The graph was optimised when the model was loaded; the executor's own profiling and respecialising would only
    // make the first batches of each size slow. Not to be set while freezing, which would then inline one level of
    // calls only.
    const torch::jit::GraphOptimizerEnabledGuard no_profiling(false);
    const torch::jit::IValue output = module_.forward({input});
    if (!output.isTensor()) {
      return absl::InvalidArgumentError(
          absl::StrCat("the model returns a ", output.tagKind(), "; needed: one tensor of shape [images, classes]"));
    }
    const torch::Tensor& rows = output.toTensor();
    if (rows.dim() != 2 || rows.size(0) != images || !rows.is_floating_point()) {
      return absl::InvalidArgumentError(absl::StrCat("the model returns ", std::string(rows.toString()), " of shape ",
                                                     c10::str(rows.sizes()), " for ", images,
                                                     " images; needed: floats of shape [", images, ", classes]"));
    }
    return rows.to(torch::kCPU, torch::kFloat).contiguous();
  }

  torch::Device device_{torch::kCPU};
  torch::jit::Module module_;
  int num_classes_ = 0;
};

// What is faster on a GPU and beyond the tolerance of the reference check. Once: other threads read these settings.
void ForbidShortcuts() {
  static const bool once = [] {
    at::globalContext().setAllowTF32CuDNN(false);
    at::globalContext().setAllowTF32CuBLAS(false);
    at::globalContext().setAllowFP16ReductionCuBLAS(false);
    return true;
  }();
  static_cast<void>(once);
}

class TorchEngineFactory final : public EngineFactory {
 public:
  absl::StatusOr<std::unique_ptr<InferenceEngine>> Create(const Model& model, const Device& device,
                                                          Precision precision) override {
    ForbidShortcuts();
#ifdef DIGIT_TORCH_CUDA
    if (model.is_digit_cnn && device.kind == Device::Kind::kCuda) {
      RETURN_IF_ERROR(FindTorchDevice(device).status());
      return NamingModel(model, CreateCudaEngine(model, device.index, precision));
    }
#endif
    static_cast<void>(precision);
    return NamingModel(model, TorchEngine::Create(model, device));
  }

  int CountGpus() override { return torch::cuda::is_available() ? static_cast<int>(torch::cuda::device_count()) : 0; }

 private:
  static absl::StatusOr<std::unique_ptr<InferenceEngine>> NamingModel(
      const Model& model, absl::StatusOr<std::unique_ptr<InferenceEngine>> engine) {
    if (engine.ok()) return engine;
    return absl::Status(engine.status().code(), absl::StrCat("model '", model.path, "': ", engine.status().message()));
  }
};

}  // namespace
}  // namespace digit

#define DIGIT_EXPORT extern "C" __attribute__((visibility("default")))

DIGIT_EXPORT const char* digit_torch_build_id() { return digit::AbiId(); }

DIGIT_EXPORT digit::EngineFactory* digit_torch_engine_factory() {
  static auto* const factory = new digit::TorchEngineFactory;  // never deleted: the module stays loaded
  return factory;
}
