// The steps of a training as a CUDA graph: one launch a step in place of about a hundred. Compiled only where LibTorch
// has CUDA.
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "model/engine/torch/cuda_capture.h"
#include "model/training/step_runner.h"

namespace digit {
namespace {

class CudaGraphRunner final : public StepRunner {
 public:
  explicit CudaGraphRunner(int device)
      : stream_(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, static_cast<c10::DeviceIndex>(device))) {}

  // Everything goes to one stream, which is not the default one: that one cannot be captured. Nothing then needs an
  // event to wait for anything, and tensors can be freed while work on them is still queued.
  void Within(const std::function<void()>& body) override {
    const c10::cuda::CUDAStreamGuard guard(stream_);
    body();
  }

  void Run(const std::function<void()>& step) override {
    // The first steps make what may not be made during a capture: the handles of cuBLAS and cuDNN, their workspaces on
    // this stream, cuDNN's choice of algorithms, and kernels that CUDA loads when they are first needed.
    constexpr int kEagerSteps = 3;
    if (eager_steps_ < kEagerSteps) {
      ++eager_steps_;
      step();
      return;
    }
    // No thread beside this one records or frees graphs, and none makes LibTorch forget the workspace of cuBLAS that
    // the first steps have made on this stream, so that the graph may go on using it.
    if (graph_ == nullptr) {
      stream_.synchronize();
      graph_ = CaptureGraph({0, 0}, step);
    }
    graph_->replay();
  }

 private:
  const c10::cuda::CUDAStream stream_;
  int eager_steps_ = 0;
  CudaGraphPointer graph_;
};

}  // namespace

std::unique_ptr<StepRunner> MakeCudaGraphRunner(int device) { return std::make_unique<CudaGraphRunner>(device); }

}  // namespace digit
