// Our devices as LibTorch's.
#pragma once

#include <c10/core/Device.h>

#include "absl/status/statusor.h"
#include "model/engine/inference_engine.h"

namespace digit {

// The CPU is always there. FAILED_PRECONDITION names a GPU that is not, and what is missing for it: a LibTorch with
// CUDA, the driver, the card, that many cards.
absl::StatusOr<c10::Device> FindTorchDevice(const Device& device);

}  // namespace digit
