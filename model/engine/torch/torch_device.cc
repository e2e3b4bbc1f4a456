#include "model/engine/torch/torch_device.h"

#include <torch/cuda.h>

#include "absl/strings/str_cat.h"

namespace digit {

absl::StatusOr<c10::Device> FindTorchDevice(const Device& device) {
  if (device.kind == Device::Kind::kCpu) return c10::Device(c10::kCPU);
  const auto missing = [&device](auto... what) {
    return absl::FailedPreconditionError(absl::StrCat("device ", device.ToString(), ": ", what...));
  };
  if (!torch::cuda::is_available()) {
    return missing(
        "LibTorch finds no GPU; needed are a LibTorch with CUDA (Debian's is for the CPU only), NVIDIA's driver and a "
        "card");
  }
  const auto devices = static_cast<int>(torch::cuda::device_count());
  if (device.index >= devices) return missing("this machine has ", devices, " CUDA devices, counted from 0");
  return c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(device.index));
}

}  // namespace digit
