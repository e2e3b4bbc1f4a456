#include "daemon/pool/device_list.h"

#include <algorithm>
#include <set>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"

namespace digit {
namespace {

absl::StatusOr<Device> ParseDevice(absl::string_view text) {
  if (text == "cpu") return Device{};
  int index = 0;
  if (absl::ConsumePrefix(&text, "cuda:") && absl::SimpleAtoi(text, &index) && index >= 0 && index < 1024) {
    return Device{.kind = Device::Kind::kCuda, .index = index};
  }
  return absl::InvalidArgumentError("");
}

std::vector<Device> AllOf(int gpus) {
  std::vector<Device> devices;
  devices.reserve(std::max(gpus, 1));
  for (int i = 0; i < gpus; ++i) devices.push_back({.kind = Device::Kind::kCuda, .index = i});
  if (devices.empty()) devices.push_back(Device{});
  return devices;
}

}  // namespace

absl::StatusOr<std::vector<Device>> ParseDeviceList(absl::string_view list, absl::FunctionRef<int()> count_gpus) {
  std::vector<Device> devices;
  std::set<std::string> named, taken;  // in the list; in `devices`
  for (absl::string_view part : absl::StrSplit(list, ',')) {
    std::vector<Device> more;
    if (part == "auto") {
      more = AllOf(count_gpus());
    } else {
      const absl::StatusOr<Device> device = ParseDevice(part);
      if (!device.ok()) {
        return absl::InvalidArgumentError(
            absl::StrCat("devices: '", part, "' is not a device; use auto, cpu, or cuda:N with N in 0..1023"));
      }
      more = {*device};
      part = "";
    }
    const std::string name = part.empty() ? more.front().ToString() : std::string(part);
    if (!named.insert(name).second)
      return absl::InvalidArgumentError(absl::StrCat("devices: '", name, "' is listed twice"));
    for (const Device& device : more) {
      if (taken.insert(device.ToString()).second) devices.push_back(device);
    }
  }
  return devices;
}

}  // namespace digit
