// What BatchScheduler counts.
#include "daemon/batching/queue_metrics.h"

#include "daemon/batching/batch_scheduler.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_task.h"
#include "tests/support/simulated_clock.h"

namespace digit {
namespace {

using ::testing::ElementsAre;

constexpr int kMaxBatchSize = 4, kMaxQueued = 12;
constexpr absl::Duration kMaxWait = absl::Milliseconds(100);

class QueueMetricsTest : public ::testing::Test {
 protected:
  absl::Status Submit(int images, absl::Duration timeout = absl::InfiniteDuration()) {
    std::vector<std::unique_ptr<Task>> tasks;
    tasks.push_back(std::make_unique<FakeTask>(1, images, clock_.Now() + timeout, fate_));
    return scheduler_.Submit(queue_.get(), absl::MakeSpan(tasks));
  }
  void Take() {
    BatchScheduler::Work work;
    scheduler_.TakeBatch(0, &work);
  }
  int64_t Refused(Refusal refusal) const { return refused_[static_cast<size_t>(refusal)].value(); }
  // Of all but one reason.
  int64_t RefusedOtherwise(Refusal refusal) const {
    int64_t sum = -Refused(refusal);
    for (const Counter& counter : refused_) sum += counter.value();
    return sum;
  }
  QueueMetrics Metrics() {
    QueueMetrics metrics{.wait = &wait_};
    for (int i = 0; i < kNumRefusals; ++i) metrics.refused[i] = &refused_[i];
    return metrics;
  }

  SimulatedClock clock_;
  std::shared_ptr<FakeTaskFate> fate_ = std::make_shared<FakeTaskFate>();
  Histogram wait_{Histogram::Seconds()};
  std::array<Counter, kNumRefusals> refused_;
  BatchScheduler scheduler_{&clock_, 1};
  std::shared_ptr<BatchScheduler::Queue> queue_ =
      scheduler_.AddQueue({.name = "m/1",
                           .batching = {.max_batch_size = kMaxBatchSize, .max_queue_wait = kMaxWait},
                           .max_queued_images = kMaxQueued,
                           .metrics = Metrics()},
                          nullptr);
};

TEST_F(QueueMetricsTest, TheWaitOfEachTaskThatRuns) {
  ASSERT_TRUE(Submit(1).ok());
  clock_.Advance(absl::Milliseconds(30));
  ASSERT_TRUE(Submit(2).ok());
  Take();
  EXPECT_EQ(wait_.Read().count(), 2);
  EXPECT_DOUBLE_EQ(wait_.Read().sum, 0.03);
}

TEST_F(QueueMetricsTest, HowLongExecutorsWereBusy) {
  ASSERT_TRUE(Submit(4).ok());
  ASSERT_TRUE(Submit(4).ok());
  Take();
  clock_.Advance(absl::Milliseconds(40));
  EXPECT_THAT(scheduler_.busy_times(), ElementsAre(absl::ZeroDuration()));
  Take();
  EXPECT_THAT(scheduler_.busy_times(), ElementsAre(absl::Milliseconds(40)));
}

TEST_F(QueueMetricsTest, ImagesThatWait) {
  ASSERT_TRUE(Submit(3).ok());
  EXPECT_EQ(scheduler_.num_queued_images(*queue_), 3);
  Take();
  EXPECT_EQ(scheduler_.num_queued_images(*queue_), 0);
}

TEST_F(QueueMetricsTest, AFullQueueAlsoWhenItIsOnlyAskedFor) {
  ASSERT_TRUE(Submit(4).ok());
  ASSERT_TRUE(Submit(4).ok());
  EXPECT_FALSE(Submit(3).ok());
  EXPECT_FALSE(scheduler_.CheckAdmission(*queue_, TaskClass(), 5, SteadyTime::InfiniteFuture()).ok());
  EXPECT_EQ(Refused(Refusal::kQueueFull), 3 + 5);
  EXPECT_EQ(RefusedOtherwise(Refusal::kQueueFull), 0);
}

TEST_F(QueueMetricsTest, WhatWouldWaitTooLongApartFromWhatWouldMissItsDeadline) {
  for (int i = 0; i < 4; ++i) {
    clock_.Advance(absl::Milliseconds(80));
    ASSERT_TRUE(Submit(4).ok());
    Take();
  }
  EXPECT_FALSE(Submit(1, absl::Milliseconds(100)).ok());  // the executor has 80 ms to go
  EXPECT_EQ(Refused(Refusal::kDeadline), 1);
  ASSERT_TRUE(Submit(4).ok());   // waits 80 ms
  EXPECT_FALSE(Submit(2).ok());  // 160 ms
  EXPECT_EQ(Refused(Refusal::kWait), 2);
  EXPECT_EQ(RefusedOtherwise(Refusal::kWait), 1);
}

TEST_F(QueueMetricsTest, WhatExpiresOrIsCancelled) {
  EXPECT_FALSE(Submit(3, absl::ZeroDuration()).ok());
  EXPECT_EQ(Refused(Refusal::kExpired), 3);
  ASSERT_TRUE(Submit(2, absl::Milliseconds(10)).ok());
  clock_.Advance(absl::Milliseconds(10));
  ASSERT_TRUE(Submit(1).ok());
  Take();
  EXPECT_EQ(Refused(Refusal::kExpired), 3 + 2);
  fate_->cancelled = true;
  EXPECT_FALSE(Submit(4).ok());
  EXPECT_EQ(Refused(Refusal::kCancelled), 4);
  EXPECT_EQ(RefusedOtherwise(Refusal::kCancelled), 5);
}

TEST_F(QueueMetricsTest, WhatWaitedLongerThanPromised) {
  ASSERT_TRUE(Submit(2).ok());
  clock_.Advance(kMaxWait + absl::Milliseconds(1));
  ASSERT_TRUE(Submit(1).ok());
  Take();
  EXPECT_EQ(Refused(Refusal::kOverdue), 2);
  EXPECT_EQ(RefusedOtherwise(Refusal::kOverdue), 0);
}

TEST_F(QueueMetricsTest, WithoutAnExecutor) {
  ASSERT_TRUE(Submit(3).ok());
  scheduler_.SetUsable(queue_.get(), 0, false);
  EXPECT_EQ(Refused(Refusal::kNoExecutor), 3);
  EXPECT_FALSE(Submit(1).ok());
  EXPECT_EQ(Refused(Refusal::kNoExecutor), 4);
}

TEST_F(QueueMetricsTest, WhatComesTooLate) {
  scheduler_.CloseQueue(queue_.get());
  EXPECT_FALSE(Submit(1).ok());
  scheduler_.Shutdown();
  EXPECT_FALSE(Submit(1).ok());
  EXPECT_EQ(Refused(Refusal::kStopping), 2);
}

}  // namespace
}  // namespace digit
