// Recording CUDA graphs. Compiled only where LibTorch has CUDA (DIGIT_TORCH_CUDA).
#pragma once

#include <ATen/cuda/CUDAGraph.h>

#include <functional>
#include <memory>
#include <utility>

namespace digit {

struct CudaGraph : at::cuda::CUDAGraph {
  // To launch it and nothing else: replay() also sets random numbers that nobody draws.
  cudaGraphExec_t executable() const { return graph_exec_; }
  // After capture_end() has failed: LibTorch before 2.12 does not tell its allocator then that the recording is over.
  void EndAllocating();
};

// Leaves a graph where it is once CUDA has failed for good: nothing can be freed then, and some versions of LibTorch
// would end the process over that.
struct FreeCudaGraph {
  void operator()(CudaGraph* graph) const;
};
using CudaGraphPointer = std::unique_ptr<CudaGraph, FreeCudaGraph>;

using GraphMemory = decltype(std::declval<CudaGraph&>().pool());  // its name moves between versions

// Records what `enqueue` puts on the current stream, which is not the default one; nothing runs. What it allocates
// comes out of `memory`, another graph's pool(), or out of a pool of its own. What CUDA forbids during a recording is
// forbidden to this thread only (before LibTorch 2.1 to all). Throws what `enqueue` or LibTorch throws; the stream is
// then as it was before.
CudaGraphPointer CaptureGraph(GraphMemory memory, const std::function<void()>& enqueue);

}  // namespace digit
