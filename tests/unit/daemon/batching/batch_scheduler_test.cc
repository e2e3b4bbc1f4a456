#include "daemon/batching/batch_scheduler.h"

#include <atomic>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_task.h"
#include "tests/support/simulated_clock.h"

namespace digit {
namespace {

using ::testing::ElementsAre;

class BatchSchedulerTest : public ::testing::Test {
 protected:
  std::shared_ptr<BatchScheduler::Queue> AddQueue(int max_batch_size, absl::Duration delay = absl::ZeroDuration(),
                                                  int max_queued = 100) {
    return scheduler_.AddQueue({.name = "m/1",
                                .batching = {.max_batch_size = max_batch_size, .max_queue_delay = delay},
                                .max_queued_images = max_queued},
                               nullptr);
  }
  absl::Status Submit(const std::shared_ptr<BatchScheduler::Queue>& queue, int id, int images = 1,
                      absl::Duration timeout = absl::InfiniteDuration()) {
    std::vector<std::unique_ptr<Task>> tasks;
    tasks.push_back(std::make_unique<FakeTask>(id, images, clock_.Now() + timeout, fate_));
    return scheduler_.Submit(queue.get(), absl::MakeSpan(tasks));
  }
  std::vector<int> Take() {
    BatchScheduler::Work work;
    std::vector<int> ids;
    if (!scheduler_.TakeBatch(&work)) return {-1};
    for (const auto& task : work.batch.tasks) ids.push_back(IdOf(*task));
    return ids;
  }

  SimulatedClock clock_;
  std::shared_ptr<FakeTaskFate> fate_ = std::make_shared<FakeTaskFate>();
  BatchScheduler scheduler_{&clock_};
};

TEST_F(BatchSchedulerTest, HandsOutWhatWaits) {
  auto queue = AddQueue(4);
  ASSERT_TRUE(Submit(queue, 1).ok());
  ASSERT_TRUE(Submit(queue, 2).ok());
  EXPECT_THAT(Take(), ElementsAre(1, 2));
}

TEST_F(BatchSchedulerTest, RefusesBeyondTheBoundAndNamesIt) {
  auto queue = AddQueue(4, absl::ZeroDuration(), 5);
  ASSERT_TRUE(Submit(queue, 1, 4).ok());
  const absl::Status status = Submit(queue, 2, 2);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("limit of 5"));
  EXPECT_EQ(scheduler_.num_queued_images(), 4);
}

TEST_F(BatchSchedulerTest, AnswersExpiredTasksInsteadOfHandingThemOut) {
  auto queue = AddQueue(4);
  ASSERT_TRUE(Submit(queue, 1, 1, absl::Milliseconds(10)).ok());
  clock_.Advance(absl::Milliseconds(10));
  ASSERT_TRUE(Submit(queue, 2).ok());
  EXPECT_THAT(Take(), ElementsAre(2));
  EXPECT_EQ(fate_->failures, 1);
  EXPECT_EQ(fate_->failure, absl::StatusCode::kDeadlineExceeded);
}

TEST_F(BatchSchedulerTest, HandsOutAPartBatchOnceTheDelayPasses) {
  auto queue = AddQueue(4, absl::Milliseconds(5));
  const SteadyTime start = clock_.Now();
  ASSERT_TRUE(Submit(queue, 1).ok());
  std::atomic<bool> handed_out{false};
  std::vector<int> ids;
  std::thread executor([&] {
    ids = Take();
    handed_out = true;
  });
  clock_.WaitForSleeperDueAt(start + absl::Milliseconds(5));
  EXPECT_FALSE(handed_out);
  clock_.Advance(absl::Milliseconds(5));
  executor.join();
  EXPECT_THAT(ids, ElementsAre(1));
}

TEST_F(BatchSchedulerTest, VersionsTakeTurns) {
  auto busy = AddQueue(2), quiet = AddQueue(2);
  for (int id = 0; id < 6; ++id) ASSERT_TRUE(Submit(busy, id).ok());
  ASSERT_TRUE(Submit(quiet, 100).ok());
  EXPECT_THAT(Take(), ElementsAre(0, 1));
  EXPECT_THAT(Take(), ElementsAre(100));
  EXPECT_THAT(Take(), ElementsAre(2, 3));
}

TEST_F(BatchSchedulerTest, AClosedQueueRunsWhatItHasAndTakesNoMore) {
  auto queue = AddQueue(4);
  ASSERT_TRUE(Submit(queue, 1).ok());
  scheduler_.CloseQueue(queue.get());
  EXPECT_EQ(Submit(queue, 2).code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Take(), ElementsAre(1));
}

TEST_F(BatchSchedulerTest, ShutdownHandsOutWhatWaitsAtOnceThenEnds) {
  auto queue = AddQueue(4, absl::Seconds(5));
  ASSERT_TRUE(Submit(queue, 1).ok());
  scheduler_.Shutdown();
  EXPECT_EQ(Submit(queue, 2).code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Take(), ElementsAre(1));
  EXPECT_THAT(Take(), ElementsAre(-1));
}

TEST_F(BatchSchedulerTest, ManyThreadsLoseNothing) {
  constexpr int kProducers = 4, kTasksEach = 2000;
  BatchScheduler scheduler(SteadyClock());
  auto queue = scheduler.AddQueue({.name = "m/1", .batching = {.max_batch_size = 8}, .max_queued_images = 1 << 20}, {});
  std::vector<std::atomic<int>> seen(kProducers * kTasksEach);
  std::vector<std::thread> executors, producers;
  for (int e = 0; e < 2; ++e) {
    executors.emplace_back([&] {
      BatchScheduler::Work work;
      while (scheduler.TakeBatch(&work)) {
        for (const auto& task : work.batch.tasks) ++seen[IdOf(*task)];
      }
    });
  }
  for (int p = 0; p < kProducers; ++p) {
    producers.emplace_back([&, p] {
      for (int i = 0; i < kTasksEach; ++i) {
        std::vector<std::unique_ptr<Task>> tasks;
        tasks.push_back(std::make_unique<FakeTask>(p * kTasksEach + i, 1, SteadyTime::InfiniteFuture(), fate_));
        EXPECT_TRUE(scheduler.Submit(queue.get(), absl::MakeSpan(tasks)).ok());
      }
    });
  }
  for (std::thread& thread : producers) thread.join();
  scheduler.Shutdown();
  for (std::thread& thread : executors) thread.join();
  for (const std::atomic<int>& count : seen) EXPECT_EQ(count, 1);
}

}  // namespace
}  // namespace digit
