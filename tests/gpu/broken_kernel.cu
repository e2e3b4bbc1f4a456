#include "tests/gpu/broken_kernel.h"

namespace digit {
namespace {

__global__ void Trap() { __trap(); }

}  // namespace

cudaError_t BreakContext() {
  Trap<<<1, 1>>>();
  return cudaDeviceSynchronize();
}

}  // namespace digit
