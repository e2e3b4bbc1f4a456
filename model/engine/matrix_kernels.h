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

inline constexpr int kTiles = 4;  // rows of MultiplyTiles: the tiles of conv2, see winograd.h
// A matrix [inner][columns], stored as panels of `panel` columns, the last one narrower, each [inner][width].
struct PackedMatrix {
  int inner;
  int columns;
  int panel;  // a multiple of kChannelBlock
  const float* weights;

  // Where element (row, column) lies.
  constexpr size_t Index(int row, int column) const {
    const int first = column / panel * panel;
    const int width = std::min(panel, columns - first);
    return size_t{1} * first * inner + size_t{1} * row * width + (column - first);
  }
};

// Measured: several rows are multiplied with kChannelBlock columns at a time, best one stream through memory; a row
// that skips zeros wants more sums at a time and longer runs.
inline constexpr int kTilesPanel = kChannelBlock;
inline constexpr int kRowPanel = 64;

enum class Activation { kNone, kRelu };

// C_i [kTiles][columns] = A_i [kTiles][inner] * W_i for `count` matrices that lie one after the other. A_i begin
// `a_step` floats apart, C_i `c_step`.
void MultiplyTiles(int count, const PackedMatrix& w, const float* a, ptrdiff_t a_step, float* c, ptrdiff_t c_step);

// C [rows][columns] = activation(bias + A * W).
void MultiplyAddBias(int rows, const PackedMatrix& w, const float* bias, Activation activation, const float* a,
                     float* c);

}  // namespace digit
