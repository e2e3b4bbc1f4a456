// How the steps of a training get to its device.
#pragma once

#include <functional>
#include <memory>

namespace digit {

// Not thread-safe. On the CPU this class itself, which does as it is told; on CUDA what MakeCudaGraphRunner() makes.
class StepRunner {
 public:
  virtual ~StepRunner() = default;

  // Runs `body`; what it asks of LibTorch goes to the device in the order of asking, and only inside a body is there
  // anything to ask of it.
  virtual void Within(const std::function<void()>& body) { body(); }

  // Within a body: runs `step` once. On CUDA it is only put into the queue, and after the first few calls a recording
  // of it is: it must then do the same to the same tensors each time, without the CPU looking at one.
  virtual void Run(const std::function<void()>& step) { step(); }
};

// For the GPU `device`, counted from 0. Only in builds with a LibTorch that has CUDA (DIGIT_TORCH_CUDA).
std::unique_ptr<StepRunner> MakeCudaGraphRunner(int device);

}  // namespace digit
