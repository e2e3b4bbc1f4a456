// Products of few rows with a packed matrix of weights, in portable SIMD (Highway).
//
// Every output is one chain of multiply-adds over the inputs in their order, whichever function computes it and with
// however many other rows: an image gets the same bits in every batch.
//
// Pure functions, thread-safe; pointers need no alignment and must not overlap. `inner` and `columns` count floats;
// `columns` is a multiple of kChannelBlock. Rows of A and C are dense.
#pragma once

#include <algorithm>
#include <cstddef>

#include "model/engine/conv1_kernel.h"

namespace digit {

inline constexpr int kPanel = 64;  // columns that lie together: one of four cache lines a row

// A matrix [inner][columns] is stored as panels of kPanel columns, the last one narrower, each [inner][width]. Element
// (row, column) lies here:
constexpr size_t PackedIndex(int inner, int columns, int row, int column) {
  const int panel = column / kPanel * kPanel;
  const int width = std::min(kPanel, columns - panel);
  return size_t{1} * panel * inner + size_t{1} * row * width + (column - panel);
}

struct PackedMatrix {
  int inner;
  int columns;
  const float* weights;
};

enum class Activation { kNone, kRelu };

// C_i [rows][columns] = A_i [rows][inner] * W_i for `count` matrices that lie one after the other. A_i begin `a_step`
// floats apart, C_i `c_step`.
void MultiplyEach(int count, int rows, const PackedMatrix& w, const float* a, ptrdiff_t a_step, float* c,
                  ptrdiff_t c_step);

// C [rows][columns] = activation(bias + A * W).
void MultiplyAddBias(int rows, const PackedMatrix& w, const float* bias, Activation activation, const float* a,
                     float* c);

// The same for one row that is mostly zeros: weights that meet a zero are not read, which is most of the time of a
// large matrix.
void MultiplySparseRow(const PackedMatrix& w, const float* bias, Activation activation, const float* a, float* c);

// How many of a[0..count) are not zero; count is a multiple of kChannelBlock.
int CountNonZero(const float* a, int count);

}  // namespace digit
