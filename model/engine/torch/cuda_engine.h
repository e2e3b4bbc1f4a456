// The digit network on a GPU. Compiled only where LibTorch has CUDA (DIGIT_TORCH_CUDA).
//
// An engine has a stream of its own, buffers for kMaxCudaBatch images, and a CUDA graph for each batch size 1, 2, 4,
// ... kMaxCudaBatch: copy the bytes, conv1 and the poolings by cuda_kernels.h, conv2 by cuDNN, fc1 by cuBLAS, fc2, copy
// the logits. Infer() fills the pinned buffer, unless the pixels lie there already (InputBuffer()), launches the graph
// of the next size and waits for an event of that stream: other engines of the device run at the same time.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "model/engine/inference_engine.h"
#include "model/engine/model.h"

namespace digit {

inline constexpr int kMaxCudaBatch = 1024;  // images; a power of two

// `index`: which GPU; it is there. With Precision::kHalf weights of conv2 and fc1 and all activations are halves; sums,
// conv1 and fc2 are floats. RESOURCE_EXHAUSTED when the GPU has not enough memory, INVALID_ARGUMENT when the model is
// no digit network, INTERNAL when CUDA fails.
absl::StatusOr<std::unique_ptr<InferenceEngine>> CreateCudaEngine(const Model& model, int index, Precision precision);

}  // namespace digit
