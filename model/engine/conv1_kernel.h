// The first layer of the digit network in portable SIMD (Highway).
#pragma once

#include <cstdint>

namespace digit {

inline constexpr int kChannelBlock = 16;  // channels and outputs of every layer are padded to a multiple, with zeros
inline constexpr int kMapSide = 12;       // pooled conv1 of the 26x26 corner, all that conv2 and its pooling read

// map [12][12][channels] = relu(max over each 2x2 window of conv(pixels) + bias), the order in which the result is the
// same and the work a quarter. `pixels` is a picture of 28x28 bytes; `weights` [9][channels] include the scale of
// 1/255. Windows that see nothing but paper are not computed: in a handwritten digit about half of them.
void Conv1(const uint8_t* pixels, const float* weights, const float* bias, int channels, float* map);

}  // namespace digit
