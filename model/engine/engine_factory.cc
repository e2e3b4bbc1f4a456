#include "model/engine/engine_factory.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "model/engine/cpu_engine.h"
#include "model/engine/model.h"
#include "model/engine/torch_module.h"

namespace digit {
namespace {

// Whether there is a /dev/nvidia0 or the like: without, LibTorch need not be loaded to see that no GPU can be used.
bool HasNvidiaGpu() {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/dev", ignored)) {
    const std::string name = entry.path().filename().string();
    if (absl::StartsWith(name, "nvidia") && name.size() > 6 && absl::ascii_isdigit(name[6])) return true;
  }
  return false;
}

// No state beyond the options: loading a module that is loaded is cheap.
class ChoosingEngineFactory final : public EngineFactory {
 public:
  explicit ChoosingEngineFactory(EngineOptions options) : options_(std::move(options)) {}

  absl::StatusOr<std::unique_ptr<InferenceEngine>> Create(const Model& model, const Device& device,
                                                          Precision precision) override {
    const bool cpu_can = model.is_digit_cnn && device.kind == Device::Kind::kCpu;
    if (cpu_can && options_.engine != EngineChoice::kTorch) return CpuEngine::Create(model);
    if (options_.engine == EngineChoice::kCpu) {
      return absl::FailedPreconditionError(
          absl::StrCat("the CPU engine cannot serve ",
                       model.is_digit_cnn ? absl::StrCat("on device ", device.ToString())
                                          : absl::StrCat("model '", model.path, "', which is TorchScript"),
                       "; start with --engine auto or --engine torch to let LibTorch do it"));
    }
    ASSIGN_OR_RETURN(EngineFactory * torch, LoadTorchModule(options_.torch_module_path));
    return torch->Create(model, device, precision);
  }

  int CountGpus() override {
    if (options_.engine == EngineChoice::kCpu || !HasNvidiaGpu()) return 0;
    const absl::StatusOr<EngineFactory*> torch = LoadTorchModule(options_.torch_module_path);
    const int gpus = torch.ok() ? (*torch)->CountGpus() : 0;
    if (gpus == 0) {
      LogInfo("there is an NVIDIA GPU that cannot be used",
              {{"why", torch.ok() ? "this LibTorch has no CUDA or sees no GPU" : torch.status().message()}});
    }
    return gpus;
  }

 private:
  const EngineOptions options_;
};

}  // namespace

std::unique_ptr<EngineFactory> MakeEngineFactory(EngineOptions options) {
  if (options.torch_module_path.empty()) options.torch_module_path = DefaultTorchModulePath();
  return std::make_unique<ChoosingEngineFactory>(std::move(options));
}

}  // namespace digit
