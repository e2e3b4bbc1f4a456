// Text to Device (model/engine/inference_engine.h).
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/engine/inference_engine.h"

namespace digit {

// The inverse of Device::ToString(). INVALID_ARGUMENT says what is accepted; whether the device is there, it does not
// ask.
absl::StatusOr<Device> ParseDevice(absl::string_view text);

}  // namespace digit
