#include "model/engine/torch/cuda_capture.h"

#include <c10/cuda/CUDACachingAllocator.h>
#include <cuda_runtime_api.h>
#include <torch/version.h>

#include <exception>

namespace digit {

void CudaGraph::EndAllocating() {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 6)
  try {
    c10::cuda::CUDACachingAllocator::endAllocateToPool(capture_dev_, mempool_id_);
  } catch (const std::exception&) {
    // It has been told.
  }
#endif
}

void FreeCudaGraph::operator()(CudaGraph* graph) const {
  cudaStreamCaptureMode mode = cudaStreamCaptureModeRelaxed;
  if (cudaThreadExchangeStreamCaptureMode(&mode) != cudaSuccess) return;  // what LibTorch's destructor calls
  delete graph;
  static_cast<void>(cudaThreadExchangeStreamCaptureMode(&mode));
}

CudaGraphPointer CaptureGraph(GraphMemory memory, const std::function<void()>& enqueue) {
  CudaGraphPointer graph(new CudaGraph);
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 1)
  graph->capture_begin(memory, cudaStreamCaptureModeThreadLocal);
#else
  graph->capture_begin(memory);
#endif
  std::exception_ptr thrown;
  try {
    enqueue();
  } catch (...) {
    thrown = std::current_exception();
  }
  try {
    graph->capture_end();  // in any case: else the stream would stay in this state for whoever gets it next
  } catch (...) {
    graph.release()->EndAllocating();  // not freed, as LibTorch's lists may still know it
    if (thrown == nullptr) throw;
  }
  if (thrown != nullptr) std::rethrow_exception(thrown);  // what came first says why
  return graph;
}

}  // namespace digit
