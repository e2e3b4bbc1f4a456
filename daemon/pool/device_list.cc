#include "daemon/pool/device_list.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"

namespace digit {
namespace {

absl::StatusOr<Device> ParseDevice(absl::string_view text) {
  if (text == "auto" || text == "cpu") return Device{};
  int index = 0;
  if (absl::ConsumePrefix(&text, "cuda:") && absl::SimpleAtoi(text, &index) && index >= 0 && index < 1024) {
    return Device{.kind = Device::Kind::kCuda, .index = index};
  }
  return absl::InvalidArgumentError("");
}

}  // namespace

absl::StatusOr<std::vector<Device>> ParseDeviceList(absl::string_view list) {
  std::vector<Device> devices;
  std::vector<std::string> names;
  for (absl::string_view part : absl::StrSplit(list, ',')) {
    const absl::StatusOr<Device> device = ParseDevice(part);
    if (!device.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("devices: '", part, "' is not a device; use auto, cpu, or cuda:N with N in 0..1023"));
    }
    std::string name = device->ToString();
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      return absl::InvalidArgumentError(absl::StrCat("devices: '", name, "' is listed twice"));
    }
    names.push_back(std::move(name));
    devices.push_back(*device);
  }
  return devices;
}

}  // namespace digit
