// A pool on a GPU: many callers, a model that is replaced meanwhile, a CPU that helps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "base/mutex.h"
#include "daemon/pool/device_list.h"
#include "daemon/pool/pool.h"
#include "model/engine/cpu_engine.h"
#include "model/engine/engine_factory.h"
#include "tests/gpu/task_of_pixels.h"
#include "tests/unit/model/engine/random_model.h"

namespace digit {
namespace {

class GpuPoolTest : public ::testing::Test {
 protected:
  std::shared_ptr<PlacedModel> Place(uint32_t seed) {
    auto placed = pool_->Place("m/" + std::to_string(seed), std::make_shared<Model>(RandomModel(seed)));
    EXPECT_TRUE(placed.ok()) << placed.status();
    return placed.ok() ? *placed : nullptr;
  }
  // 8 callers of 1 to 20 images for `models` in turn until *stop; counts answers that are not the CPU engine's.
  void CallUntil(const std::atomic<bool>* stop, const std::function<std::shared_ptr<PlacedModel>(uint32_t*)>& live) {
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        const std::vector<uint8_t> pixels = RandomImages(t, t + 1);
        std::string executor;
        for (int i = 0; !*stop || i == 0; ++i) {
          uint32_t seed = 0;
          const std::shared_ptr<PlacedModel> placed = live(&seed);
          const auto got = Ask(*placed, pixels, &executor);
          ASSERT_TRUE(got.ok()) << got.status();
          const std::unique_ptr<InferenceEngine> cpu = *CpuEngine::Create(RandomModel(seed));
          std::vector<float> want(got->size());
          ASSERT_TRUE(cpu->Infer(pixels, absl::MakeSpan(want)).ok());
          for (size_t k = 0; k < want.size(); ++k) wrong_ += std::abs((*got)[k] - want[k]) > 0.1f ? 1 : 0;
          MutexLock lock(&mu_);
          executors_.insert(executor);
          ++answers_;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  std::unique_ptr<EngineFactory> engines_ = MakeEngineFactory({});
  std::unique_ptr<Pool> pool_;
  Mutex mu_;
  std::set<std::string> executors_ ABSL_GUARDED_BY(mu_);
  int answers_ ABSL_GUARDED_BY(mu_) = 0;
  std::atomic<int> wrong_ = 0;
};

TEST_F(GpuPoolTest, AModelIsReplacedUnderCallers) {
  pool_ = *Pool::Create({.devices = *ParseDeviceList("cuda:0"), .engines = engines_.get()});
  std::atomic<bool> stop = false;
  Mutex live_mu;
  uint32_t live_seed = 1;
  std::shared_ptr<PlacedModel> live = Place(1);
  ASSERT_NE(live, nullptr);
  EXPECT_EQ(live->engine_name(), "cuda-fp16");
  std::thread callers([&] {
    CallUntil(&stop, [&](uint32_t* seed) {
      MutexLock lock(&live_mu);
      *seed = live_seed;
      return live;
    });
  });
  for (uint32_t seed = 2; seed <= 5; ++seed) {
    std::shared_ptr<PlacedModel> next = Place(seed);
    MutexLock lock(&live_mu);
    live = std::move(next);
    live_seed = seed;
  }
  stop = true;
  callers.join();
  EXPECT_EQ(wrong_, 0);
  MutexLock lock(&mu_);
  EXPECT_GT(answers_, 50);
  EXPECT_THAT(executors_, ::testing::IsSubsetOf({"cuda:0:0", "cuda:0:1"}));
}

TEST_F(GpuPoolTest, ACpuBesideItHelpsAndAnswersTheSame) {
  pool_ = *Pool::Create({.devices = *ParseDeviceList("cuda:0,cpu"), .replicas = 4, .engines = engines_.get()});
  const std::shared_ptr<PlacedModel> placed = Place(1);
  ASSERT_NE(placed, nullptr);
  std::atomic<bool> stop = true;
  for (int round = 0; round < 20; ++round) {
    CallUntil(&stop, [&](uint32_t* seed) {
      *seed = 1;
      return placed;
    });
  }
  EXPECT_EQ(wrong_, 0);
  MutexLock lock(&mu_);
  EXPECT_EQ(answers_, 160);
  for (const std::string& executor : executors_) std::printf("executor %s\n", executor.c_str());
}

}  // namespace
}  // namespace digit
