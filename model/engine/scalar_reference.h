// The network as obvious loops: what the other engines are compared with when a file carries no reference logits.
#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "model/engine/digit_cnn.h"

namespace digit {

// One image: kImagePixels bytes in, net.num_classes logits out. Sums in double; some 3 ms an image, for checks only.
void ScalarForward(const DigitCnn& net, absl::Span<const uint8_t> pixels, absl::Span<float> logits);

}  // namespace digit
