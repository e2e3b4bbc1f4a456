#include "daemon/batching/batch_former.h"

#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_task.h"

namespace digit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const SteadyTime kT0(absl::Seconds(100));
constexpr int kAny = 1 << 20;  // max_images that never limits

std::unique_ptr<Task> MakeTask(int id, int images = 1, SteadyTime deadline = SteadyTime::InfiniteFuture(),
                               std::shared_ptr<FakeTaskFate> fate = std::make_shared<FakeTaskFate>()) {
  return std::make_unique<FakeTask>(id, images, deadline, std::move(fate));
}

std::unique_ptr<Task> MakeTask(int id, TaskClass task_class, int images = 1) {
  return std::make_unique<FakeTask>(id, images, SteadyTime::InfiniteFuture(), std::make_shared<FakeTaskFate>(),
                                    task_class);
}

constexpr TaskClass kBulk = {.priority = Priority::kBulk};

std::vector<int> Ids(const std::vector<std::unique_ptr<Task>>& tasks) {
  std::vector<int> ids;
  for (const auto& task : tasks) ids.push_back(IdOf(*task));
  return ids;
}

TEST(BatchFormerTest, WithoutDelayWhateverWaitsIsDue) {
  BatchFormer former({.max_batch_size = 4});
  EXPECT_EQ(former.NextDue(), SteadyTime::InfiniteFuture());
  former.Add(MakeTask(1), kT0);
  former.Add(MakeTask(2), kT0);
  EXPECT_LE(former.NextDue(), kT0);
  const Batch batch = former.TakeReady(kT0, kAny);
  EXPECT_THAT(Ids(batch.tasks), ElementsAre(1, 2));
  EXPECT_EQ(batch.num_images, 2);
  EXPECT_EQ(batch.reason, CutReason::kIdleExecutor);
  EXPECT_TRUE(former.empty());
}

TEST(BatchFormerTest, CutsAtMaxBatchSizeInOrder) {
  BatchFormer former({.max_batch_size = 4});
  former.Add(MakeTask(1, 3), kT0);
  former.Add(MakeTask(2, 2), kT0);
  former.Add(MakeTask(3, 2), kT0);
  Batch batch = former.TakeReady(kT0, kAny);
  EXPECT_THAT(Ids(batch.tasks), ElementsAre(1));  // 3 + 2 would exceed 4, and order is kept
  EXPECT_EQ(batch.reason, CutReason::kFull);
  batch = former.TakeReady(kT0, kAny);
  EXPECT_THAT(Ids(batch.tasks), ElementsAre(2, 3));
  EXPECT_EQ(batch.reason, CutReason::kFull);
}

TEST(BatchFormerTest, CutsWhenTheOldestTaskReachesTheDelay) {
  BatchFormer former({.max_batch_size = 4, .max_queue_delay = absl::Milliseconds(5)});
  former.Add(MakeTask(1), kT0);
  EXPECT_EQ(former.NextDue(), kT0 + absl::Milliseconds(5));
  EXPECT_THAT(former.TakeReady(kT0 + absl::Milliseconds(4), kAny).tasks, IsEmpty());
  const Batch batch = former.TakeReady(kT0 + absl::Milliseconds(5), kAny);
  EXPECT_THAT(Ids(batch.tasks), ElementsAre(1));
  EXPECT_EQ(batch.reason, CutReason::kDelay);
}

TEST(BatchFormerTest, DoesNotWaitForCompanyBeyondHalfOfTheTimeToADeadline) {
  BatchFormer former({.max_batch_size = 4, .max_queue_delay = absl::Milliseconds(50)});
  former.Add(MakeTask(1), kT0);
  former.Add(MakeTask(2, 1, kT0 + absl::Milliseconds(20)), kT0);
  EXPECT_EQ(former.NextDue(), kT0 + absl::Milliseconds(10));
  EXPECT_THAT(Ids(former.TakeReady(kT0 + absl::Milliseconds(10), kAny).tasks), ElementsAre(1, 2));
}

TEST(BatchFormerTest, AtShutdownWhatIsNotDueIsTakenAndNothingExpiresEarly) {
  BatchFormer former({.max_batch_size = 4, .max_queue_delay = absl::Milliseconds(50)});
  former.Add(MakeTask(1, 1, kT0 + absl::Milliseconds(20)), kT0);
  EXPECT_THAT(Ids(former.TakeReady(kT0, kAny, /*no_delay=*/true).tasks), ElementsAre(1));
}

TEST(BatchFormerTest, AFullBatchDoesNotWaitForTheDelay) {
  BatchFormer former({.max_batch_size = 2, .max_queue_delay = absl::Milliseconds(5)});
  former.Add(MakeTask(1), kT0);
  former.Add(MakeTask(2), kT0 + absl::Milliseconds(1));
  EXPECT_THAT(Ids(former.TakeReady(kT0 + absl::Milliseconds(1), kAny).tasks), ElementsAre(1, 2));
}

TEST(BatchFormerTest, SetsExpiredAndCancelledTasksAside) {
  BatchFormer former({.max_batch_size = 4});
  auto gone = std::make_shared<FakeTaskFate>();
  former.Add(MakeTask(1, 1, kT0 + absl::Milliseconds(1)), kT0);
  former.Add(MakeTask(2, 1, SteadyTime::InfiniteFuture(), gone), kT0);
  former.Add(MakeTask(3), kT0);
  gone->cancelled = true;
  const Batch batch = former.TakeReady(kT0 + absl::Milliseconds(1), kAny);
  EXPECT_THAT(Ids(batch.dead), ElementsAre(1, 2));
  EXPECT_THAT(Ids(batch.tasks), ElementsAre(3));
  EXPECT_EQ(former.num_images(), 0);
}

TEST(BatchFormerTest, ADeadTaskDoesNotMakeAYoungOneDue) {
  BatchFormer former({.max_batch_size = 4, .max_queue_delay = absl::Milliseconds(5)});
  former.Add(MakeTask(1, 1, kT0 + absl::Milliseconds(1)), kT0);
  former.Add(MakeTask(2), kT0 + absl::Milliseconds(4));
  const Batch batch = former.TakeReady(kT0 + absl::Milliseconds(5), kAny);
  EXPECT_THAT(Ids(batch.dead), ElementsAre(1));
  EXPECT_THAT(batch.tasks, IsEmpty());
  EXPECT_EQ(former.NextDue(), kT0 + absl::Milliseconds(9));
}

TEST(BatchFormerTest, InteractiveTasksGoFirstAndAlone) {
  BatchFormer former({.max_batch_size = 4});
  former.Add(MakeTask(1, kBulk), kT0);
  former.Add(MakeTask(2, TaskClass{}), kT0);
  former.Add(MakeTask(3, kBulk), kT0);
  EXPECT_THAT(Ids(former.TakeReady(kT0, kAny).tasks), ElementsAre(2));
  EXPECT_THAT(Ids(former.TakeReady(kT0, kAny).tasks), ElementsAre(1, 3));
}

TEST(BatchFormerTest, AgedBulkTasksGetEveryOtherBatch) {
  BatchFormer former({.max_batch_size = 1, .bulk_ageing = absl::Milliseconds(100)});
  for (int id = 0; id < 3; ++id) former.Add(MakeTask(id, kBulk), kT0);
  for (int id = 10; id < 16; ++id) former.Add(MakeTask(id, TaskClass{}), kT0);
  const auto take = [&](absl::Duration after) { return Ids(former.TakeReady(kT0 + after, kAny).tasks).at(0); };
  EXPECT_EQ(take(absl::Milliseconds(98)), 10);
  EXPECT_EQ(take(absl::Milliseconds(99)), 11);
  std::vector<int> order;
  for (int i = 0; i < 7; ++i) order.push_back(take(absl::Milliseconds(100 + i)));
  EXPECT_THAT(order, ElementsAre(0, 12, 1, 13, 2, 14, 15));
}

TEST(BatchFormerTest, WhatWaitedLongerThanPromisedIsOverdue) {
  BatchFormer former({.max_batch_size = 4, .max_queue_wait = absl::Milliseconds(50)});
  former.Add(MakeTask(1), kT0);
  former.Add(MakeTask(2), kT0 + absl::Milliseconds(1));
  const Batch batch = former.TakeReady(kT0 + absl::Milliseconds(51), kAny);
  EXPECT_THAT(Ids(batch.overdue), ElementsAre(1));
  EXPECT_THAT(Ids(batch.tasks), ElementsAre(2));
}

TEST(BatchFormerTest, ImagesAheadCountsWhatRunsBefore) {
  BatchFormer former({.max_batch_size = 8});  // a quantum of 2
  const TaskClass me = {.flow = 1}, greedy = {.flow = 2}, bulk = {.priority = Priority::kBulk, .flow = 3};
  EXPECT_EQ(former.ImagesAhead(me, 1), 0);
  for (int i = 0; i < 10; ++i) former.Add(MakeTask(i, greedy), kT0);
  EXPECT_EQ(former.ImagesAhead(greedy, 1), 10);
  EXPECT_EQ(former.ImagesAhead(me, 1), 3);  // what the other flow may take while mine waits for its turn
  EXPECT_EQ(former.ImagesAhead(bulk, 1), 10);
  for (int i = 0; i < 5; ++i) former.Add(MakeTask(i, bulk), kT0);
  EXPECT_EQ(former.ImagesAhead(bulk, 1), 15);
  EXPECT_EQ(former.ImagesAhead(me, 1), 6);  // bulk tasks may have aged
}

// Property: over random histories nothing is lost or handed out twice, order and bounds hold.
TEST(BatchFormerTest, RandomHistoriesLoseNothingAndKeepOrderAndBounds) {
  for (uint32_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    const int max_batch = 1 + static_cast<int>(random() % 9);
    BatchFormer former({.max_batch_size = max_batch, .max_queue_delay = absl::Milliseconds(random() % 3)});
    SteadyTime now = kT0;
    int added = 0, last_seen = -1;
    for (int step = 0; step < 200; ++step) {
      now = now + absl::Milliseconds(random() % 3);
      if (random() % 3 != 0) {
        former.Add(
            MakeTask(added++, 1 + static_cast<int>(random() % max_batch), now + absl::Milliseconds(random() % 6)), now);
      } else {
        const Batch batch = former.TakeReady(now, kAny);
        int images = 0;
        std::vector<int> seen = Ids(batch.dead);
        for (const auto& task : batch.tasks) {
          images += task->num_images();
          EXPECT_GT(task->deadline(), now);
          seen.push_back(IdOf(*task));
        }
        EXPECT_EQ(images, batch.num_images);
        EXPECT_LE(images, max_batch);
        std::sort(seen.begin(), seen.end());
        for (int id : seen) EXPECT_EQ(id, ++last_seen);  // contiguous: none lost, none twice, none overtaken
      }
    }
    EXPECT_EQ(static_cast<int>(former.TakeAll().size()), added - 1 - last_seen);
    EXPECT_EQ(former.num_images(), 0);
  }
}

// The same with flows, priorities, cancellation and a bound on the wait: each task comes out exactly once, a batch is
// of one priority, and what is handed out to run is alive.
TEST(BatchFormerTest, RandomHistoriesWithFlowsAndPrioritiesHandOutEachTaskOnce) {
  for (uint32_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    const int max_batch = 1 + static_cast<int>(random() % 9);
    const absl::Duration max_wait = absl::Milliseconds(5 + random() % 20);
    BatchFormer former({.max_batch_size = max_batch,
                        .max_queue_delay = absl::Milliseconds(random() % 3),
                        .max_queue_wait = max_wait,
                        .bulk_ageing = absl::Milliseconds(random() % 5)});
    SteadyTime now = kT0;
    std::vector<int> seen;  // how often, by id
    std::vector<std::shared_ptr<FakeTaskFate>> fates;
    int waiting_images = 0;
    for (int step = 0; step < 300; ++step) {
      now = now + absl::Milliseconds(random() % 2);
      if (random() % 3 != 0) {
        const int id = static_cast<int>(seen.size()), images = 1 + static_cast<int>(random() % max_batch);
        const TaskClass task_class = {random() % 2 == 0 ? Priority::kInteractive : Priority::kBulk, random() % 4};
        seen.push_back(0);
        fates.push_back(std::make_shared<FakeTaskFate>());
        former.Add(
            std::make_unique<FakeTask>(id, images, now + absl::Milliseconds(random() % 30), fates.back(), task_class),
            now);
        waiting_images += images;
      } else if (!fates.empty() && random() % 4 == 0) {
        fates[random() % fates.size()]->cancelled = true;
      } else {
        const Batch batch = former.TakeReady(now, 1 + static_cast<int>(random() % (2 * max_batch)));
        for (const auto* list : {&batch.tasks, &batch.dead, &batch.overdue}) {
          for (const auto& task : *list) {
            ++seen[IdOf(*task)];
            waiting_images -= task->num_images();
          }
        }
        for (const auto& task : batch.tasks) {
          EXPECT_EQ(task->priority(), batch.tasks[0]->priority());
          EXPECT_FALSE(task->cancelled());
          EXPECT_GT(task->deadline(), now);
          EXPECT_LE(now - task->entered(), max_wait);
        }
        EXPECT_LE(batch.num_images, max_batch);
      }
      EXPECT_EQ(former.num_images(), waiting_images);
    }
    for (const auto& task : former.TakeAll()) ++seen[IdOf(*task)];
    EXPECT_THAT(seen, ::testing::Each(1));
  }
}

}  // namespace
}  // namespace digit
