// A GPU that fails for good: its executors are taken out, and what is left serves or says that nothing does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/pool/device_list.h"
#include "daemon/pool/pool.h"
#include "model/engine/engine_factory.h"
#include "tests/gpu/broken_kernel.h"
#include "tests/gpu/task_of_pixels.h"
#include "tests/unit/model/engine/random_model.h"

namespace digit {
namespace {

// One test: the process has no GPU any more when it is over.
TEST(GpuFaultTest, AStickyErrorTakesTheGpuOutAndTheCpuServesOnWhereItWasAskedFor) {
  const std::unique_ptr<EngineFactory> engines = MakeEngineFactory({});
  auto with_cpu = *Pool::Create({.devices = *ParseDeviceList("cuda:0,cpu"), .engines = engines.get()});
  auto without = *Pool::Create({.devices = *ParseDeviceList("cuda:0"), .engines = engines.get()});
  const auto helped = *with_cpu->Place("a/1", std::make_shared<Model>(RandomModel(1)));
  const auto alone = *without->Place("b/1", std::make_shared<Model>(RandomModel(1)));
  const std::vector<uint8_t> pixels = RandomImages(1, 3);
  std::string executor;
  ASSERT_EQ(Ask(*helped, pixels, &executor).status(), absl::OkStatus());
  ASSERT_EQ(Ask(*alone, pixels, &executor).status(), absl::OkStatus());
  EXPECT_NE(BreakContext(), cudaSuccess);
  // Each of the two executors fails once; the rest is served by the CPU, or by nobody.
  int failed = 0;
  for (int i = 0; i < 20; ++i) failed += Ask(*helped, pixels, &executor).ok() ? 0 : 1;
  EXPECT_LE(failed, 2);
  EXPECT_EQ(executor, "cpu:0");
  EXPECT_TRUE(helped->serving());
  absl::Status last;
  for (int i = 0; i < 20 && alone->serving(); ++i) last = Ask(*alone, pixels, &executor).status();
  EXPECT_FALSE(alone->serving());
  EXPECT_FALSE(last.ok());
  EXPECT_EQ(Ask(*alone, pixels, &executor).status().code(), absl::StatusCode::kUnavailable);
  for (const EngineState& state : alone->engine_states()) {
    EXPECT_FALSE(state.working);
    EXPECT_THAT(state.last_error, ::testing::HasSubstr("CUDA"));
  }
}

}  // namespace
}  // namespace digit
