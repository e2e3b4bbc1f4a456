// Model files with chosen weights, as Python's torch.save(model.state_dict()) lays them out.
#pragma once

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "model/archive/model_file.h"

namespace digit {

// The bytes of a state_dict file with these tensors.
std::string WriteStateDict(absl::Span<const NamedTensor> tensors);

}  // namespace digit
