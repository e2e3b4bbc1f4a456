#include "daemon/batching/fair_queue.h"

#include <map>
#include <random>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_task.h"

namespace digit {
namespace {

using ::testing::ElementsAre;

std::unique_ptr<Task> MakeTask(int id, FlowId flow, int images = 1) {
  static const auto fate = std::make_shared<FakeTaskFate>();
  return std::make_unique<FakeTask>(id, images, SteadyTime::InfiniteFuture(), fate, TaskClass{.flow = flow});
}

std::vector<int> PopAll(FairQueue* queue) {
  std::vector<int> ids;
  while (!queue->empty()) ids.push_back(IdOf(*queue->Pop()));
  return ids;
}

TEST(FairQueueTest, OneFlowIsFirstInFirstOut) {
  FairQueue queue(2);
  for (int id : {1, 2, 3}) queue.Add(MakeTask(id, 7, id));
  EXPECT_EQ(queue.num_images(), 6);
  EXPECT_EQ(queue.num_images_of(7), 6);
  EXPECT_THAT(PopAll(&queue), ElementsAre(1, 2, 3));
  EXPECT_EQ(queue.num_images_of(7), 0);
  EXPECT_EQ(queue.Front(), nullptr);
}

TEST(FairQueueTest, ALonelyTaskWaitsForOneQuantumOfAGreedyFlow) {
  FairQueue queue(2);
  for (int id = 0; id < 6; ++id) queue.Add(MakeTask(id, 1));
  queue.Add(MakeTask(100, 2));
  EXPECT_THAT(PopAll(&queue), ElementsAre(0, 1, 100, 2, 3, 4, 5));
}

TEST(FairQueueTest, LargeTasksSaveUpTheirTurns) {
  FairQueue queue(2);
  queue.Add(MakeTask(1, 1, 6));  // needs three turns
  for (int id = 10; id < 16; ++id) queue.Add(MakeTask(id, 2));
  EXPECT_THAT(PopAll(&queue), ElementsAre(10, 11, 12, 13, 1, 14, 15));
}

TEST(FairQueueTest, FrontStaysTheSameUntilItIsPopped) {
  FairQueue queue(1);
  queue.Add(MakeTask(1, 1, 3));
  queue.Add(MakeTask(2, 2, 3));
  const Task* front = queue.Front();
  queue.Add(MakeTask(3, 3));
  EXPECT_EQ(queue.Front(), front);
  EXPECT_EQ(queue.Pop().get(), front);
}

TEST(FairQueueTest, TheOldestTaskIsFoundWhereverItStands) {
  FairQueue queue(1);
  EXPECT_EQ(queue.OldestEntered(), SteadyTime::InfiniteFuture());
  for (int i = 3; i >= 1; --i) {
    std::unique_ptr<Task> task = MakeTask(i, static_cast<FlowId>(i));
    task->set_entered(SteadyTime(absl::Seconds(i)));
    queue.Add(std::move(task));
  }
  EXPECT_EQ(queue.OldestEntered(), SteadyTime(absl::Seconds(1)));
}

// Property: while two flows both wait, neither gets more than a quantum and a task ahead of the other; within a flow
// the order is kept; nothing is lost.
TEST(FairQueueTest, RandomHistoriesAreFair) {
  for (uint32_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    const int quantum = 1 + static_cast<int>(random() % 8), largest = 1 + static_cast<int>(random() % 16);
    constexpr int kFlows = 4, kTasksEach = 100;
    FairQueue queue(quantum);
    std::map<FlowId, int> waiting, served, next_id;
    for (int i = 0; i < kTasksEach; ++i) {
      for (FlowId flow = 0; flow < kFlows; ++flow) {
        const int images = 1 + static_cast<int>(random() % largest);
        waiting[flow] += images;
        queue.Add(MakeTask(i, flow, images));
      }
    }
    while (!queue.empty()) {
      const std::unique_ptr<Task> task = queue.Pop();
      EXPECT_EQ(IdOf(*task), next_id[task->flow()]++);
      waiting[task->flow()] -= task->num_images();
      served[task->flow()] += task->num_images();
      const bool all_wait = std::all_of(waiting.begin(), waiting.end(), [](const auto& w) { return w.second > 0; });
      if (!all_wait || served.size() < kFlows) continue;
      const auto [least, most] = std::minmax_element(served.begin(), served.end(),
                                                     [](const auto& a, const auto& b) { return a.second < b.second; });
      EXPECT_LE(most->second - least->second, 2 * (quantum + largest));
    }
    for (FlowId flow = 0; flow < kFlows; ++flow) EXPECT_EQ(next_id[flow], kTasksEach);
  }
}

}  // namespace
}  // namespace digit
