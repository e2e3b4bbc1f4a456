// Which instruction sets the CPU engine is compiled for. Include before any header of Highway.
#pragma once

// A list of what may be used, not of what may not: only what the tests have been run on, on a real machine (x86-64
// with AVX2). AVX-512 and Arm are to be added by whoever runs model_engine_test there; until then such machines get
// the best of these. Scalable vectors (SVE, RVV) would not do as they are: the kernels keep vectors in arrays.
#define HWY_DISABLED_TARGETS (~(HWY_AVX2 | HWY_SSE4 | HWY_SSSE3 | HWY_EMU128 | HWY_SCALAR))

namespace digit {

// The one that is used on this machine, as Highway calls it: "AVX2".
const char* SimdTargetName();

}  // namespace digit
