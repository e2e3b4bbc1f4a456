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

}  // namespace
}  // namespace digit
