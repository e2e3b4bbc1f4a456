// Matrix product and weight update, in portable SIMD (Highway).
//
// Pure functions, thread-safe; pointers need no alignment and must not overlap. Sums run in a fixed order, whatever
// the number of threads.
#pragma once

namespace digit {

// B [rows][columns] as panels of kPanel columns, each [rows][kPanel]: what Gemm reads, in the order it reads it.
// B's element (r, c) is b[r * row_stride + c * column_stride]; columns is a multiple of kPanel. Packs the panels
// first_panel .. last_panel - 1 only, so that threads can share the work.
void PackPanels(const float* b, int rows, int row_stride, int column_stride, int first_panel, int last_panel,
                float* packed);

// C [m][n] = A [m][k] * B [k][n]; C is dense, B is packed; A's element (i, j) is a[i * row_stride + j * k_stride].
void Gemm(int m, int n, int k, const float* a, int row_stride, int k_stride, const float* packed, float* c);

// What one step does to a run of parameters: AdamW (Loshchilov and Hutter 2019, "Decoupled Weight Decay
// Regularization"), then an exponential moving average of the weights.
struct AdamStep {
  float learning_rate = 0;
  float beta1 = 0.9f;
  float beta2 = 0.99f;
  float epsilon = 1e-8f;
  float weight_decay = 0;
  float correction1 = 1;   // 1 - beta1^t
  float correction2 = 1;   // 1 - beta2^t
  float average_rate = 1;  // average += rate * (weight - average)
};

// The gradient is the sum of `shards` arrays, one after the other in that order, each `shard_stride` floats apart.
// Updates `count` elements of weight, momentum, variance and average.
void UpdateWeights(const AdamStep& step, int count, int shards, const float* gradients, int shard_stride, float* weight,
                   float* momentum, float* variance, float* average);

}  // namespace digit
