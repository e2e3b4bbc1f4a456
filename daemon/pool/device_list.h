// Which devices a pool runs on, from the --devices flag.
#pragma once

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/engine/inference_engine.h"

namespace digit {

// "cpu", "cuda:0", and "auto", which is every GPU or, where there is none, the CPU; with commas in any mix, such as
// "auto,cpu". INVALID_ARGUMENT names the part that is no device, or comes twice. `count_gpus` is called for "auto"
// only.
absl::StatusOr<std::vector<Device>> ParseDeviceList(
    absl::string_view list, absl::FunctionRef<int()> count_gpus = [] { return 0; });

}  // namespace digit
