#include "daemon/pool/pool.h"

#include <future>

#include "daemon/pool/device_list.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_engine.h"

namespace digit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Answer {
  absl::Status status;
  std::vector<float> scores;
  BatchReport report;
};

// Images whose first pixel is `classes[i]`.
class TestTask : public InferenceTask {
 public:
  TestTask(std::vector<int> classes, std::shared_ptr<PlacedModel> placed, std::promise<Answer> promise)
      : InferenceTask(static_cast<int>(classes.size()), SteadyTime::InfiniteFuture()),
        classes_(std::move(classes)),
        placed_(std::move(placed)),
        promise_(std::move(promise)) {}
  bool cancelled() const override { return false; }
  void PackPixels(uint8_t* destination) const override {
    for (int c : classes_) {
      *destination = static_cast<uint8_t>(c);
      destination += kImagePixels;
    }
  }
  void Complete(absl::Span<const float> scores, const BatchReport& report) override {
    promise_.set_value({absl::OkStatus(), {scores.begin(), scores.end()}, report});
  }
  void Fail(const absl::Status& status) override { promise_.set_value({status, {}, {}}); }

 private:
  const std::vector<int> classes_;
  const std::shared_ptr<PlacedModel> placed_;
  std::promise<Answer> promise_;
};

class PoolTest : public ::testing::Test {
 protected:
  void Start(int replicas, int max_batch_size) {
    pool_ = *Pool::Create({.replicas = replicas, .max_batch_size = max_batch_size, .engines = &engines_});
    placed_ = *pool_->Place("m/1", &model_);
    engines_.control().ForgetBatches();
  }
  std::future<Answer> Submit(std::vector<int> classes) {
    std::promise<Answer> promise;
    std::future<Answer> future = promise.get_future();
    std::vector<std::unique_ptr<Task>> tasks;
    tasks.push_back(std::make_unique<TestTask>(std::move(classes), placed_, std::move(promise)));
    EXPECT_TRUE(placed_->Submit(absl::MakeSpan(tasks)).ok());
    return future;
  }

  Model model_ = FakeModel();
  FakeEngineFactory engines_;
  std::unique_ptr<Pool> pool_;
  std::shared_ptr<PlacedModel> placed_;
};

TEST_F(PoolTest, GivesEachTaskItsOwnScores) {
  Start(1, 8);
  engines_.control().Hold(true);
  auto first = Submit({1});
  engines_.control().WaitUntilHeld(1);
  auto second = Submit({2, 3});
  auto third = Submit({4});
  engines_.control().Hold(false);
  EXPECT_EQ(first.get().scores[1], 10);
  const Answer two = second.get();
  EXPECT_EQ(two.scores[2], 10);
  EXPECT_EQ(two.scores[10 + 3], 10);
  EXPECT_EQ(two.report.batch_size, 3);
  EXPECT_EQ(two.report.executor, "cpu:0");
  EXPECT_EQ(third.get().scores[4], 10);
  EXPECT_THAT(engines_.control().batch_sizes(), ElementsAre(1, 3));
}

TEST_F(PoolTest, ReplicasRunAtTheSameTime) {
  Start(2, 1);
  engines_.control().Hold(true);
  auto a = Submit({1}), b = Submit({2});
  engines_.control().WaitUntilHeld(2);
  engines_.control().Hold(false);
  EXPECT_NE(a.get().report.executor, b.get().report.executor);
}

TEST_F(PoolTest, WarmsUpEveryPowerOfTwoAndTheLargestBatch) {
  pool_ = *Pool::Create({.max_batch_size = 6, .engines = &engines_});
  placed_ = *pool_->Place("m/1", &model_);
  const std::vector<int> sizes = engines_.control().batch_sizes();
  EXPECT_THAT(std::vector<int>(sizes.end() - 4, sizes.end()), ElementsAre(1, 2, 4, 6));
}

TEST_F(PoolTest, AFailingEngineFailsItsBatchOnly) {
  Start(1, 8);
  engines_.control().set_behaviour(FakeEngineControl::Behaviour::kFail);
  EXPECT_EQ(Submit({1}).get().status.code(), absl::StatusCode::kInternal);
  engines_.control().set_behaviour(FakeEngineControl::Behaviour::kNan);
  EXPECT_THAT(std::string(Submit({1}).get().status.message()), HasSubstr("not finite"));
  engines_.control().set_behaviour(FakeEngineControl::Behaviour::kAnswer);
  EXPECT_TRUE(Submit({1}).get().status.ok());
}

TEST_F(PoolTest, AnEngineThatAnswersNanIsNotPlaced) {
  pool_ = *Pool::Create({.engines = &engines_});
  engines_.control().set_behaviour(FakeEngineControl::Behaviour::kNan);
  EXPECT_FALSE(pool_->Place("m/1", &model_).ok());
}

TEST_F(PoolTest, DrainRunsWhatWasAccepted) {
  Start(1, 2);
  engines_.control().Hold(true);
  std::vector<std::future<Answer>> answers;
  for (int i = 0; i < 10; ++i) answers.push_back(Submit({i}));
  engines_.control().Hold(false);
  pool_->Drain();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(answers[i].get().scores[i], 10);
}

TEST_F(PoolTest, RefusesOptionsOutOfRange) {
  EXPECT_THAT(std::string(Pool::Create({.replicas = 0, .engines = &engines_}).status().message()),
              HasSubstr("replicas"));
  EXPECT_THAT(std::string(Pool::Create({.max_batch_size = 2000, .engines = &engines_}).status().message()),
              HasSubstr("1..1024"));
}

TEST(DeviceListTest, ParsesAndRefuses) {
  EXPECT_EQ(ParseDeviceList("auto")->size(), 1u);
  const auto two = ParseDeviceList("cpu,cuda:1");
  ASSERT_TRUE(two.ok());
  EXPECT_EQ(two->at(1).ToString(), "cuda:1");
  EXPECT_THAT(std::string(ParseDeviceList("cpu,gpu").status().message()), HasSubstr("'gpu'"));
  EXPECT_THAT(std::string(ParseDeviceList("cuda:-1").status().message()), HasSubstr("cuda:-1"));
  EXPECT_THAT(std::string(ParseDeviceList("cpu,cpu").status().message()), HasSubstr("twice"));
  EXPECT_FALSE(ParseDeviceList("").ok());
}

}  // namespace
}  // namespace digit
