#include "model/engine/device.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace digit {

std::string Device::ToString() const { return kind == Kind::kCpu ? "cpu" : absl::StrCat("cuda:", index); }

absl::StatusOr<Device> ParseDevice(absl::string_view text) {
  if (text == "cpu") return Device{};
  absl::string_view number = text;
  Device device{Device::Kind::kCuda, 0};
  // Formatted back to tell "cuda:+1" and "cuda:01" from "cuda:1".
  if (absl::ConsumePrefix(&number, "cuda:") && absl::SimpleAtoi(number, &device.index) && device.index >= 0 &&
      device.ToString() == text) {
    return device;
  }
  return absl::InvalidArgumentError(absl::StrCat("device '", text, "' is neither 'cpu' nor like 'cuda:0'"));
}

}  // namespace digit
