// The network in LibTorch: writes `.pt` files and says what LibTorch answers. The only header of model/network that
// stands for LibTorch, and it does not include it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "model/network/digit_cnn.h"

namespace digit {

// The bytes of a TorchScript archive of the network with the extra file `model.json`. Python's torch.jit.load() reads
// it, and its state_dict() has the names and shapes of kDigitCnnParameters. The same arguments give the same bytes.
// INVALID_ARGUMENT: a parameter has the wrong size; INTERNAL: LibTorch failed.
absl::StatusOr<std::string> ToTorchScript(const DigitCnnWeights& weights, absl::string_view model_json);

// LibTorch's logits, kDigitCnnClasses for each of the kImagePixels-sized pictures in `pixels`, in one batch, by the
// same program that ToTorchScript() writes. Errors as above.
absl::StatusOr<std::vector<float>> TorchLogits(const DigitCnnWeights& weights, absl::Span<const uint8_t> pixels);

}  // namespace digit
