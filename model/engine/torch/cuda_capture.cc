#include "model/engine/torch/cuda_capture.h"

#include <cuda_runtime_api.h>
#include <torch/version.h>

#include <exception>

namespace digit {

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
  try {
    enqueue();
  } catch (...) {
    try {
      graph->capture_end();  // else the stream would stay in this state for whoever gets it next
    } catch (const std::exception&) {
      // What came first says why. LibTorch's allocator may still know this graph.
      static_cast<void>(graph.release());
    }
    throw;
  }
  graph->capture_end();
  return graph;
}

}  // namespace digit
