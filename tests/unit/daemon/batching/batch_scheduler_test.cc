#include "daemon/batching/batch_scheduler.h"

#include <atomic>
#include <thread>

#include "base/retry_after.h"
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
                                                  int max_queued = 100,
                                                  absl::Duration max_wait = absl::InfiniteDuration()) {
    return scheduler_.AddQueue(
        {.name = "m/1",
         .batching = {.max_batch_size = max_batch_size, .max_queue_delay = delay, .max_queue_wait = max_wait},
         .max_queued_images = max_queued},
        nullptr);
  }
  // A batch that takes `took` on executor 0, so that the cost model knows.
  void RunBatchThatTakes(const std::shared_ptr<BatchScheduler::Queue>& queue, int images, absl::Duration took) {
    ASSERT_TRUE(Submit(queue, 0, images).ok());
    Take();
    clock_.Advance(took);
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
    if (!scheduler_.TakeBatch(0, &work)) return {-1};
    for (const auto& task : work.batch.tasks) ids.push_back(IdOf(*task));
    return ids;
  }

  SimulatedClock clock_;
  std::shared_ptr<FakeTaskFate> fate_ = std::make_shared<FakeTaskFate>();
  BatchScheduler scheduler_{&clock_, 2};
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

TEST_F(BatchSchedulerTest, WhatIsLateOnEntryIsRefused) {
  auto queue = AddQueue(4);
  EXPECT_EQ(Submit(queue, 1, 1, absl::ZeroDuration()).code(), absl::StatusCode::kDeadlineExceeded);
  fate_->cancelled = true;
  EXPECT_EQ(Submit(queue, 1).code(), absl::StatusCode::kCancelled);
}

TEST_F(BatchSchedulerTest, RefusesWhatWouldWaitTooLongOnceItKnowsTheCost) {
  auto queue = AddQueue(4, absl::ZeroDuration(), 100, absl::Milliseconds(100));
  scheduler_.SetUsable(queue.get(), 1, false);
  for (int i = 0; i < 3; ++i) RunBatchThatTakes(queue, 4, absl::Milliseconds(40));
  RunBatchThatTakes(queue, 4, absl::ZeroDuration());  // still running: 40 ms to go
  ASSERT_TRUE(Submit(queue, 1, 4).ok());              // waits 40 ms
  ASSERT_TRUE(Submit(queue, 2, 4).ok());              // 80 ms
  const absl::Status status = Submit(queue, 3, 4);    // 120 ms
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("the limit is 100 ms"));
  EXPECT_NEAR(absl::ToDoubleMilliseconds(*RetryAfterOf(status)), 20, 1);
  clock_.Advance(absl::Milliseconds(20));  // the running batch is that much further
  EXPECT_TRUE(Submit(queue, 3, 4).ok());
}

TEST_F(BatchSchedulerTest, RefusesWhatWouldMissItsDeadline) {
  auto queue = AddQueue(4);
  scheduler_.SetUsable(queue.get(), 1, false);
  for (int i = 0; i < 3; ++i) RunBatchThatTakes(queue, 4, absl::Milliseconds(40));
  RunBatchThatTakes(queue, 4, absl::ZeroDuration());
  // 40 ms until the executor is idle, 40 ms to run; a lone image will have company by then. Times the margin of 1.25.
  EXPECT_EQ(Submit(queue, 1, 4, absl::Milliseconds(99)).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Submit(queue, 1, 1, absl::Milliseconds(99)).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(Submit(queue, 1, 4, absl::Milliseconds(101)).ok());
}

TEST_F(BatchSchedulerTest, AGreedyFlowDoesNotCostALonelyOneItsPlace) {
  auto queue = AddQueue(4, absl::ZeroDuration(), 1000, absl::Milliseconds(100));
  scheduler_.SetUsable(queue.get(), 1, false);
  for (int i = 0; i < 3; ++i) RunBatchThatTakes(queue, 4, absl::Milliseconds(20));
  RunBatchThatTakes(queue, 4, absl::ZeroDuration());
  const auto submit = [&](FlowId flow) {
    std::vector<std::unique_ptr<Task>> tasks;
    tasks.push_back(std::make_unique<FakeTask>(1, 1, SteadyTime::InfiniteFuture(), fate_, TaskClass{.flow = flow}));
    return scheduler_.Submit(queue.get(), absl::MakeSpan(tasks));
  };
  int let_in = 0;
  while (submit(1).ok()) ++let_in;
  EXPECT_GT(let_in, 10);
  EXPECT_TRUE(submit(2).ok());
}

TEST_F(BatchSchedulerTest, OneCallerLeavesRoomForOthers) {
  auto queue = AddQueue(4, absl::ZeroDuration(), 100);
  const auto submit = [&](FlowId flow) {
    std::vector<std::unique_ptr<Task>> tasks;
    tasks.push_back(std::make_unique<FakeTask>(1, 1, SteadyTime::InfiniteFuture(), fate_, TaskClass{.flow = flow}));
    return scheduler_.Submit(queue.get(), absl::MakeSpan(tasks));
  };
  int greedy = 0;
  while (submit(1).ok()) ++greedy;
  EXPECT_EQ(greedy, 50);
  EXPECT_TRUE(submit(2).ok());
}

TEST_F(BatchSchedulerTest, ALongRequestIsLetInWhenNothingIsAheadOfIt) {
  auto queue = AddQueue(4, absl::ZeroDuration(), 100, absl::Milliseconds(100));
  scheduler_.SetUsable(queue.get(), 1, false);
  for (int i = 0; i < 3; ++i) RunBatchThatTakes(queue, 4, absl::Milliseconds(40));
  ASSERT_TRUE(Submit(queue, 0, 4).ok());
  Take();
  clock_.Advance(absl::Milliseconds(40));
  std::vector<std::unique_ptr<Task>> tasks;  // 400 ms of work of its own, and no deadline
  for (int id = 1; id <= 10; ++id) {
    tasks.push_back(std::make_unique<FakeTask>(id, 4, SteadyTime::InfiniteFuture(), fate_));
  }
  ASSERT_TRUE(scheduler_.Submit(queue.get(), absl::MakeSpan(tasks)).ok());
  for (int id = 1; id <= 10; ++id) {
    EXPECT_THAT(Take(), ElementsAre(id));
    clock_.Advance(absl::Milliseconds(40));
  }
  EXPECT_EQ(fate_->failures, 0);  // those that follow are not overdue
}

TEST_F(BatchSchedulerTest, AnExecutorThatRunsLateIsNotIdle) {
  auto queue = AddQueue(4, absl::ZeroDuration(), 100, absl::Milliseconds(100));
  scheduler_.SetUsable(queue.get(), 1, false);
  for (int i = 0; i < 3; ++i) RunBatchThatTakes(queue, 4, absl::Milliseconds(40));
  RunBatchThatTakes(queue, 4, absl::Milliseconds(300));  // expected to take 40 ms, and still not done
  EXPECT_EQ(Submit(queue, 1, 1).code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(BatchSchedulerTest, CheckAdmissionSaysWhatSubmitWould) {
  auto queue = AddQueue(4, absl::ZeroDuration(), 5);
  EXPECT_TRUE(scheduler_.CheckAdmission(*queue, {}, 5, SteadyTime::InfiniteFuture()).ok());
  EXPECT_EQ(scheduler_.CheckAdmission(*queue, {}, 6, SteadyTime::InfiniteFuture()).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(scheduler_.num_queued_images(), 0);
}

TEST_F(BatchSchedulerTest, WhatIsLeftWhenItComesDueGoesToTheExecutorThatIsIdle) {
  auto queue = AddQueue(4, absl::Milliseconds(5));
  std::atomic<int> taken{0};
  std::vector<std::thread> executors;
  for (int executor = 0; executor < 2; ++executor) {
    executors.emplace_back([&, executor] {
      BatchScheduler::Work work;
      ASSERT_TRUE(scheduler_.TakeBatch(executor, &work));
      ++taken;
    });
    clock_.WaitForSleeperDueAt(SteadyTime::InfiniteFuture());
  }
  // Six images: a batch of three is due at once, and whoever takes it must see to it that the other one waits for the
  // rest. It has no call to make after that.
  ASSERT_TRUE(Submit(queue, 1, 3).ok());
  ASSERT_TRUE(Submit(queue, 2, 3).ok());
  while (scheduler_.num_queued_images() > 3) std::this_thread::yield();
  clock_.WaitForSleeperDueAt(clock_.Now() + absl::Milliseconds(5));
  EXPECT_LE(taken, 1);
  clock_.Advance(absl::Milliseconds(5));
  for (std::thread& executor : executors) executor.join();
  EXPECT_EQ(taken, 2);
}

TEST_F(BatchSchedulerTest, OverdueTasksAreAnsweredAsOverload) {
  auto queue = AddQueue(4, absl::ZeroDuration(), 100, absl::Milliseconds(100));
  ASSERT_TRUE(Submit(queue, 1).ok());
  clock_.Advance(absl::Milliseconds(101));
  ASSERT_TRUE(Submit(queue, 2).ok());
  EXPECT_THAT(Take(), ElementsAre(2));
  EXPECT_EQ(fate_->failures, 1);
  EXPECT_EQ(fate_->failure, absl::StatusCode::kResourceExhausted);
}

TEST_F(BatchSchedulerTest, AnExecutorGetsOnlyWhatItMayRun) {
  auto broken = AddQueue(4), sound = AddQueue(4);
  ASSERT_TRUE(Submit(broken, 1).ok());
  scheduler_.SetUsable(broken.get(), 0, false);
  ASSERT_TRUE(Submit(sound, 2).ok());
  EXPECT_THAT(Take(), ElementsAre(2));
  BatchScheduler::Work work;
  ASSERT_TRUE(scheduler_.TakeBatch(1, &work));
  EXPECT_EQ(IdOf(*work.batch.tasks[0]), 1);
}

TEST_F(BatchSchedulerTest, WithoutAnyExecutorWhatWaitsFailsAndNewWorkIsRefused) {
  auto queue = AddQueue(4);
  ASSERT_TRUE(Submit(queue, 1).ok());
  scheduler_.SetUsable(queue.get(), 0, false);
  EXPECT_EQ(fate_->failures, 0);
  scheduler_.SetUsable(queue.get(), 1, false);
  EXPECT_EQ(fate_->failures, 1);
  EXPECT_EQ(fate_->failure, absl::StatusCode::kUnavailable);
  EXPECT_EQ(Submit(queue, 2).code(), absl::StatusCode::kUnavailable);
  scheduler_.SetUsable(queue.get(), 0, true);
  EXPECT_TRUE(Submit(queue, 3).ok());
  EXPECT_THAT(Take(), ElementsAre(3));
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
  BatchScheduler scheduler(SteadyClock(), 2);
  auto queue = scheduler.AddQueue({.name = "m/1", .batching = {.max_batch_size = 8}, .max_queued_images = 1 << 20}, {});
  std::vector<std::atomic<int>> seen(kProducers * kTasksEach);
  std::vector<std::thread> executors, producers;
  for (int e = 0; e < 2; ++e) {
    executors.emplace_back([&, e] {
      BatchScheduler::Work work;
      while (scheduler.TakeBatch(e, &work)) {
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
