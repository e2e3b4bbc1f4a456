#include "daemon/pool/device_list.h"

#include <algorithm>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model/engine/device.h"

namespace digit {
namespace {

std::vector<Device> AllOf(int gpus) {
  std::vector<Device> devices;
  devices.reserve(std::max(gpus, 1));
  for (int i = 0; i < gpus; ++i) devices.push_back({.kind = Device::Kind::kCuda, .index = i});
  if (devices.empty()) devices.push_back(Device{});
  return devices;
}

}  // namespace

absl::StatusOr<std::vector<Device>> ParseDeviceList(absl::string_view list, absl::FunctionRef<int()> count_gpus) {
  constexpr int kMaxGpus = 1024;
  std::vector<Device> devices;
  std::set<std::string> named, taken;  // in the list; in `devices`, where those that "auto" finds again are once
  for (absl::string_view part : absl::StrSplit(list, ',')) {
    std::vector<Device> more;
    if (part == "auto") {
      more = AllOf(count_gpus());
    } else {
      const absl::StatusOr<Device> device = ParseDevice(part);
      if (!device.ok() || device->index >= kMaxGpus) {
        return absl::InvalidArgumentError(
            absl::StrCat("devices: '", part, "' is not a device; use auto, cpu, or cuda:N with N in 0..1023"));
      }
      more = {*device};
    }
    if (!named.insert(std::string(part)).second) {
      return absl::InvalidArgumentError(absl::StrCat("devices: '", part, "' is listed twice"));
    }
    for (const Device& device : more) {
      if (taken.insert(device.ToString()).second) devices.push_back(device);
    }
  }
  return devices;
}

}  // namespace digit
