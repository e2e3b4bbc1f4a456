#include "model/training/torch_trainer.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/engine/torch/guarded.h"
#include "model/engine/torch/torch_device.h"
#include "model/spec/model_spec.h"
#include "model/training/step_runner.h"
#include "model/training/torch_step.h"

namespace digit {
namespace {

std::unique_ptr<StepRunner> MakeRunner(const Device& device) {
#ifdef DIGIT_TORCH_CUDA
  if (device.kind == Device::Kind::kCuda) return MakeCudaGraphRunner(device.index);
#endif
  static_cast<void>(device);
  return std::make_unique<StepRunner>();
}

// Runs `body`, which may throw.
absl::Status GuardedOn(const Device& device, const std::function<void()>& body) {
  return Guarded(absl::StatusCode::kInternal, absl::StrCat("train on ", device.ToString()), [&body] {
    body();
    return absl::OkStatus();
  });
}

}  // namespace

absl::Status CheckTrainingDevice(const Device& device) { return FindTorchDevice(device).status(); }

struct TorchTrainer::Impl {
  const Device device;
  const c10::Device torch_device;
  const std::unique_ptr<StepRunner> runner;
  std::unique_ptr<TorchStep> step;

  // Runs `body` on the device, for callers outside.
  absl::Status Do(const std::function<void()>& body) {
    return GuardedOn(device, [&] {
      runner->Within([&] {
        const c10::InferenceMode no_gradients;
        body();
      });
    });
  }
};

absl::StatusOr<std::unique_ptr<TorchTrainer>> TorchTrainer::Create(const Device& device, const Recipe& recipe,
                                                                   const LabeledImages& images,
                                                                   absl::Span<const uint8_t> non_digits) {
  ASSIGN_OR_RETURN(const c10::Device torch_device, FindTorchDevice(device));
  if (recipe.augmentation.warp_pixels != 0) {
    return absl::InvalidArgumentError(absl::StrCat("the recipe warps pictures by ", recipe.augmentation.warp_pixels,
                                                   " pixels, which training with LibTorch cannot; allowed is 0"));
  }
  std::unique_ptr<Impl> impl;
  RETURN_IF_ERROR(GuardedOn(device, [&] { impl.reset(new Impl{device, torch_device, MakeRunner(device), nullptr}); }));
  RETURN_IF_ERROR(impl->Do([&] {
    at::globalContext().setDeterministicCuDNN(true);
    impl->step = std::make_unique<TorchStep>(recipe, images, non_digits, torch_device);
  }));
  return std::unique_ptr<TorchTrainer>(new TorchTrainer(std::move(impl)));
}

TorchTrainer::TorchTrainer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

TorchTrainer::~TorchTrainer() = default;

absl::Status TorchTrainer::RunEpoch(const std::function<bool(int64_t)>& before_step, TrainingState* state) {
  return impl_->Do([&] {
    TorchStep& step = *impl_->step;
    step.Load(*state);
    int64_t next = state->step;
    const int64_t end = next + step.StepsLeft(next);
    while (next < end && before_step(next)) {
      impl_->runner->Run([&step] { step.Run(); });
      ++next;
      if (next - state->step >= kStepsAhead) {
        step.ReadSums(state);
        state->step = next;
      }
    }
    step.Store(state);
    state->step = next;
  });
}

absl::StatusOr<std::vector<float>> TorchTrainer::ComputeLogits(absl::Span<const float> parameters,
                                                               absl::Span<const uint8_t> pixels) {
  constexpr int64_t kMost = 1000;  // pictures at once: 150 MB
  const auto images = static_cast<int64_t>(pixels.size() / kImagePixels);
  std::vector<float> logits(static_cast<size_t>(images) * kDigitCnnClasses);
  RETURN_IF_ERROR(impl_->Do([&] {
    const c10::Device& device = impl_->torch_device;
    const auto upload = [&device](const auto* data, at::IntArrayRef shape, at::ScalarType type) {
      return at::from_blob(const_cast<void*>(static_cast<const void*>(data)), shape, at::TensorOptions().dtype(type))
          .to(device);
    };
    const at::Tensor flat = upload(parameters.data(), {kParameters}, at::kFloat);
    const ParameterViews views(flat);
    for (int64_t first = 0; first < images; first += kMost) {
      const int64_t n = std::min(kMost, images - first);
      const at::Tensor input = upload(&pixels[first * kImagePixels], {n, kImageSide, kImageSide}, at::kByte)
                                   .narrow(1, 0, kInputSide)
                                   .narrow(2, 0, kInputSide)
                                   .div(255);
      const at::Tensor rows = ForwardPass(views, input).logits.contiguous().cpu();
      std::copy_n(rows.data_ptr<float>(), n * kDigitCnnClasses, &logits[first * kDigitCnnClasses]);
    }
  }));
  return logits;
}

}  // namespace digit
