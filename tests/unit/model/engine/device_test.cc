#include "model/engine/device.h"

#include <gtest/gtest.h>

namespace digit {
namespace {

TEST(DeviceTest, ReadsBackWhatItPrints) {
  for (const char* text : {"cpu", "cuda:0", "cuda:15"}) {
    const absl::StatusOr<Device> device = ParseDevice(text);
    ASSERT_TRUE(device.ok()) << device.status();
    EXPECT_EQ(device->ToString(), text);
  }
}

TEST(DeviceTest, RefusesAllElse) {
  for (const char* text :
       {"", "gpu", "cuda", "cuda:", "cuda:-1", "cuda:+1", "cuda:01", "cuda: 1", "CPU", "cuda:99999999999"}) {
    EXPECT_EQ(ParseDevice(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace digit
