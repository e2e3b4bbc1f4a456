// The product of one row that is mostly zeros with a packed matrix, in portable SIMD (Highway).
#pragma once

#include "model/engine/matrix_kernels.h"

namespace digit {

// What MultiplyAddBias() computes for one row, to the bit. Weights that meet a zero are not read, and reading is most
// of the time of a large matrix.
void MultiplySparseRow(const PackedMatrix& w, const float* bias, Activation activation, const float* a, float* c);

// How many of a[0..count) are not zero; count is a multiple of kChannelBlock.
int CountNonZero(const float* a, int count);

}  // namespace digit
