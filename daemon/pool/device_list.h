// Which devices a pool runs on, from the --devices flag.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/engine/inference_engine.h"

namespace digit {

// "auto" (today the CPU), "cpu", "cuda:0,cuda:1", in any mix. INVALID_ARGUMENT names the part that is no device, or
// comes twice.
absl::StatusOr<std::vector<Device>> ParseDeviceList(absl::string_view list);

}  // namespace digit
