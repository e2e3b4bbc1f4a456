// An error that stays: every later call of CUDA in this process fails.
#pragma once

#include <cuda_runtime_api.h>

namespace digit {

cudaError_t BreakContext();  // the error, not cudaSuccess

}  // namespace digit
