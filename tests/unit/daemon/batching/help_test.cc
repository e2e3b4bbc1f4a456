// Executors that only help: a CPU (executor 1) beside a GPU (executor 0).
#include <thread>

#include "daemon/batching/batch_scheduler.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_task.h"
#include "tests/support/simulated_clock.h"

namespace digit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class HelpTest : public ::testing::Test {
 protected:
  HelpTest() {
    CostModel gpu, cpu;
    for (int n : {1, 64, 1, 64}) {
      gpu.Observe(n, absl::Microseconds(100));
      cpu.Observe(n, n * absl::Microseconds(20));
    }
    queue_ = scheduler_.AddQueue(
        {.name = "m/1", .batching = {.max_batch_size = 64}, .costs = {gpu, cpu}, .max_queued_images = 1000}, nullptr);
  }
  void Submit(int id, int images = 1) {
    std::vector<std::unique_ptr<Task>> tasks;
    tasks.push_back(std::make_unique<FakeTask>(id, images, SteadyTime::InfiniteFuture(), fate_));
    EXPECT_TRUE(scheduler_.Submit(queue_.get(), absl::MakeSpan(tasks)).ok());
  }
  std::vector<int> Take(int executor) {
    BatchScheduler::Work work;
    std::vector<int> ids;
    if (!scheduler_.TakeBatch(executor, &work)) return {-1};
    for (const auto& task : work.batch.tasks) ids.push_back(IdOf(*task));
    return ids;
  }
  // What the CPU takes, in a thread of its own that ends when the scheduler shuts down.
  std::thread TakeAllByCpu(std::vector<int>* ids) {
    return std::thread([this, ids] {
      BatchScheduler::Work work;
      while (scheduler_.TakeBatch(1, &work)) {
        for (const auto& task : work.batch.tasks) ids->push_back(IdOf(*task));
      }
    });
  }

  SimulatedClock clock_;
  std::shared_ptr<FakeTaskFate> fate_ = std::make_shared<FakeTaskFate>();
  BatchScheduler scheduler_{&clock_, {{}, {.helps = true, .max_images = 8}}};
  std::shared_ptr<BatchScheduler::Queue> queue_;
};

TEST_F(HelpTest, WhileTheGpuIsBusyTheCpuTakesWhatItWillHaveDoneFirst) {
  Submit(1);
  EXPECT_THAT(Take(0), ElementsAre(1));  // done in 100 us, and what follows in 200
  for (int id = 2; id < 20; ++id) Submit(id);
  EXPECT_THAT(Take(1), ElementsAre(2, 3, 4, 5, 6, 7, 8, 9));  // 8 images, its limit: 160 us
  clock_.Advance(absl::Microseconds(160));
  EXPECT_THAT(Take(1), ElementsAre(10, 11, 12, 13));  // the GPU is late and may be done any moment: 100 us are left
}

TEST_F(HelpTest, AnIdleGpuNeedsNoHelp) {
  std::vector<int> cpu;
  std::thread thread = TakeAllByCpu(&cpu);
  for (int id = 1; id <= 5; ++id) Submit(id);
  EXPECT_THAT(Take(0), ElementsAre(1, 2, 3, 4, 5));
  scheduler_.Shutdown();
  thread.join();
  EXPECT_THAT(cpu, IsEmpty());
}

TEST_F(HelpTest, ATaskThatIsTooLargeWaitsForTheGpu) {
  Submit(1);
  EXPECT_THAT(Take(0), ElementsAre(1));
  Submit(2, 9);
  std::vector<int> cpu;
  std::thread thread = TakeAllByCpu(&cpu);
  EXPECT_THAT(Take(0), ElementsAre(2));
  scheduler_.Shutdown();
  thread.join();
  EXPECT_THAT(cpu, IsEmpty());
}

TEST_F(HelpTest, ACpuThatWaitsIsWokenWhenHelpIsDue) {
  std::vector<int> cpu;
  std::thread thread = TakeAllByCpu(&cpu);
  Submit(1);
  EXPECT_THAT(Take(0), ElementsAre(1));
  Submit(2);
  while (scheduler_.num_queued_images() > 0) std::this_thread::yield();  // the GPU is at its batch all the time
  scheduler_.Shutdown();
  thread.join();
  EXPECT_THAT(cpu, ElementsAre(2));
}

TEST_F(HelpTest, ACpuThatWaitsIsWokenWhenABurstIsTooLargeForTheGpusBatch) {
  std::vector<int> cpu;
  std::thread thread = TakeAllByCpu(&cpu);
  for (int id = 1; id <= 70; ++id) Submit(id);  // while the GPU is idle: no help is due
  EXPECT_EQ(Take(0).size(), 64u);
  while (scheduler_.num_queued_images() > 0) std::this_thread::yield();  // the GPU is at its batch all the time
  scheduler_.Shutdown();
  thread.join();
  EXPECT_THAT(cpu, ElementsAre(65, 66, 67, 68, 69, 70));
}

TEST_F(HelpTest, WithoutAGpuTheCpuTakesEverything) {
  scheduler_.SetUsable(queue_.get(), 0, false);
  Submit(1, 64);
  Submit(2);
  EXPECT_THAT(Take(1), ElementsAre(1));
  EXPECT_THAT(Take(1), ElementsAre(2));
}

// Predictions are those of the GPU alone.
TEST_F(HelpTest, HelpIsNotCountedOn) {
  Submit(1);
  EXPECT_THAT(Take(0), ElementsAre(1));
  const auto admitted = [&](absl::Duration time_left) {
    return scheduler_.CheckAdmission(*queue_, {}, 1, clock_.Now() + time_left).ok();
  };
  EXPECT_FALSE(admitted(absl::Microseconds(150)));
  EXPECT_TRUE(admitted(absl::Microseconds(250)));
}

}  // namespace
}  // namespace digit
