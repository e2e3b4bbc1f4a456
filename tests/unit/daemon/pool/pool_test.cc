#include "daemon/pool/pool.h"

#include <future>
#include <set>

#include "daemon/pool/device_list.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_engine.h"
#include "tests/support/simulated_clock.h"

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
  bool cancelled() const override { return looks_left_ >= 0 && looks_left_-- == 0; }
  // cancelled() says so at its `looks` + 1st call.
  void CancelAfter(int looks) { looks_left_ = looks; }
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
  mutable int looks_left_ = -1;
  const std::vector<int> classes_;
  const std::shared_ptr<PlacedModel> placed_;
  std::promise<Answer> promise_;
};

class PoolTest : public ::testing::Test {
 protected:
  void Start(int replicas, int max_batch_size, std::vector<int> allowed_batch_sizes = {}) {
    pool_ = *Pool::Create({.replicas = replicas,
                           .max_batch_size = max_batch_size,
                           .allowed_batch_sizes = std::move(allowed_batch_sizes),
                           .engines = &engines_,
                           .on_serving_change =
                               [this] {
                                 MutexLock lock(&mu_);
                                 ++serving_changes_;
                                 changed_.NotifyAll();
                               },
                           .clock = &clock_});
    placed_ = *pool_->Place("m/1", model_);
    engines_.control().ForgetBatches();
  }
  void WaitForServingChanges(int n) {
    MutexLock lock(&mu_);
    while (serving_changes_ < n) changed_.Wait(&mu_);
  }
  int NumWorking() const {
    int working = 0;
    for (const EngineState& state : placed_->engine_states()) working += state.working ? 1 : 0;
    return working;
  }
  std::future<Answer> Submit(std::vector<int> classes) {
    std::promise<Answer> promise;
    std::future<Answer> future = promise.get_future();
    std::vector<std::unique_ptr<Task>> tasks;
    tasks.push_back(std::make_unique<TestTask>(std::move(classes), placed_, std::move(promise)));
    EXPECT_TRUE(placed_->Submit(absl::MakeSpan(tasks)).ok());
    return future;
  }

  absl::Status TrySubmit(std::vector<int> classes) {
    std::vector<std::unique_ptr<Task>> tasks;
    tasks.push_back(std::make_unique<TestTask>(std::move(classes), placed_, std::promise<Answer>()));
    return placed_->Submit(absl::MakeSpan(tasks));
  }

  std::shared_ptr<Model> model_ = std::make_shared<Model>(FakeModel());
  Mutex mu_;
  CondVar changed_;
  int serving_changes_ ABSL_GUARDED_BY(mu_) = 0;
  SimulatedClock clock_;
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

TEST_F(PoolTest, WarmsUpEveryBatchSizeThenTimesSome) {
  pool_ = *Pool::Create({.max_batch_size = 6, .engines = &engines_});
  placed_ = *pool_->Place("m/1", model_);
  const std::vector<int> sizes = engines_.control().batch_sizes();
  EXPECT_THAT(std::vector<int>(sizes.end() - 8, sizes.end()), ElementsAre(1, 2, 3, 4, 5, 6, 1, 4));
}

TEST_F(PoolTest, AFailingEngineIsTakenOutAndTheOthersGoOn) {
  for (const auto how : {FakeEngineControl::Behaviour::kFail, FakeEngineControl::Behaviour::kNan}) {
    Start(2, 8);
    engines_.control().FailNext(1, how);
    const Answer failed = Submit({1}).get();
    EXPECT_EQ(failed.status.code(), absl::StatusCode::kInternal);
    std::set<std::string> executors;
    for (int i = 0; i < 20; ++i) {
      const Answer answer = Submit({i}).get();
      EXPECT_TRUE(answer.status.ok()) << answer.status;
      executors.insert(std::string(answer.report.executor));
    }
    EXPECT_EQ(executors.size(), 1u);
    EXPECT_EQ(NumWorking(), 1);
    EXPECT_TRUE(placed_->serving());
    for (const EngineState& state : placed_->engine_states()) {
      if (state.working) continue;
      EXPECT_EQ(state.failures, 1);
      EXPECT_THAT(state.last_error, HasSubstr(how == FakeEngineControl::Behaviour::kNan ? "not finite" : "scripted"));
      EXPECT_NE(state.executor, *executors.begin());
    }
    placed_ = nullptr;
  }
}

TEST_F(PoolTest, WithoutEnginesTheModelStopsServingUntilOneIsRebuilt) {
  Start(1, 8);
  const SteadyTime failed_at = clock_.Now();
  engines_.control().FailNext(1);
  EXPECT_EQ(Submit({1}).get().status.code(), absl::StatusCode::kInternal);
  WaitForServingChanges(1);
  EXPECT_FALSE(placed_->serving());
  EXPECT_EQ(TrySubmit({1}).code(), absl::StatusCode::kUnavailable);
  // The rebuild fails twice; pauses double.
  engines_.control().FailNextCreations(2);
  clock_.WaitForSleeperDueAt(failed_at + absl::Milliseconds(100));
  clock_.Advance(absl::Milliseconds(100));
  clock_.WaitForSleeperDueAt(failed_at + absl::Milliseconds(300));
  clock_.Advance(absl::Milliseconds(200));
  clock_.WaitForSleeperDueAt(failed_at + absl::Milliseconds(700));
  EXPECT_FALSE(placed_->serving());
  clock_.Advance(absl::Milliseconds(400));
  WaitForServingChanges(2);
  EXPECT_TRUE(placed_->serving());
  EXPECT_EQ(Submit({3}).get().scores[3], 10);
  EXPECT_EQ(placed_->engine_states()[0].failures, 1);
}

TEST_F(PoolTest, AnEngineThatFailsAgainAndAgainIsRebuiltLessAndLessOften) {
  Start(1, 8);
  for (int failure = 1; failure <= 4; ++failure) {
    const SteadyTime failed_at = clock_.Now();
    engines_.control().FailNext(1);
    EXPECT_FALSE(Submit({1}).get().status.ok());
    clock_.WaitForSleeperDueAt(failed_at + RepairPause(failure));
    clock_.Advance(RepairPause(failure));
    WaitForServingChanges(2 * failure);
  }
  clock_.Advance(absl::Minutes(5));  // that long it worked: forgiven
  const SteadyTime failed_at = clock_.Now();
  engines_.control().FailNext(1);
  EXPECT_FALSE(Submit({1}).get().status.ok());
  clock_.WaitForSleeperDueAt(failed_at + RepairPause(1));
}

TEST_F(PoolTest, AModelThatIsGoneIsNotRebuilt) {
  Start(1, 8);
  const SteadyTime failed_at = clock_.Now();
  engines_.control().FailNext(1);
  Submit({1}).get();
  WaitForServingChanges(1);
  const size_t created = engines_.control().created_on().size();
  clock_.WaitForSleeperDueAt(failed_at + absl::Milliseconds(100));
  placed_ = nullptr;
  clock_.Advance(absl::Milliseconds(100));
  pool_->Drain();
  EXPECT_EQ(engines_.control().created_on().size(), created);
}

TEST(RepairPauseTest, DoublesUpToAMinute) {
  EXPECT_EQ(RepairPause(1), absl::Milliseconds(100));
  EXPECT_EQ(RepairPause(4), absl::Milliseconds(800));
  EXPECT_EQ(RepairPause(10), absl::Milliseconds(51200));
  EXPECT_EQ(RepairPause(11), absl::Seconds(60));
  EXPECT_EQ(RepairPause(1000), absl::Seconds(60));
}

TEST_F(PoolTest, SmallBatchesArePaddedToAllowedSizes) {
  Start(1, 8, {2, 8});
  const Answer answer = Submit({1, 2, 3}).get();
  EXPECT_EQ(answer.report.batch_size, 3);
  EXPECT_EQ(answer.scores.size(), 30u);
  EXPECT_EQ(answer.scores[20 + 3], 10);
  EXPECT_EQ(Submit({4}).get().scores[4], 10);
  EXPECT_THAT(engines_.control().batch_sizes(), ElementsAre(8, 2));
}

TEST_F(PoolTest, WhatIsCancelledOnItsWayToTheEngineDoesNotRun) {
  Start(1, 8);
  std::promise<Answer> promise;
  std::future<Answer> future = promise.get_future();
  std::vector<std::unique_ptr<Task>> tasks;
  tasks.push_back(std::make_unique<TestTask>(std::vector<int>{1}, placed_, std::move(promise)));
  static_cast<TestTask&>(*tasks[0]).CancelAfter(2);  // on entry and at the cut it is alive
  ASSERT_TRUE(placed_->Submit(absl::MakeSpan(tasks)).ok());
  EXPECT_EQ(future.get().status.code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(engines_.control().batch_sizes(), ElementsAre());
}

TEST_F(PoolTest, PlacesAModelOnEveryExecutorOfEveryDevice) {
  pool_ = *Pool::Create({.devices = *ParseDeviceList("cpu,cuda:0,cuda:1"), .replicas = 2, .engines = &engines_});
  placed_ = *pool_->Place("m/1", model_);
  EXPECT_THAT(engines_.control().created_on(), ElementsAre("cpu", "cpu", "cuda:0", "cuda:0", "cuda:1", "cuda:1"));
  EXPECT_THAT(placed_->executor_names(), ElementsAre("cpu:0", "cpu:1", "cuda:0:0", "cuda:0:1", "cuda:1:0", "cuda:1:1"));
  std::set<std::string> executors;
  engines_.control().Hold(true);
  std::vector<std::future<Answer>> answers;
  for (int i = 0; i < 4; ++i) {  // the CPU only helps, and in no time there is nothing to help with
    answers.push_back(Submit({i}));
    engines_.control().WaitUntilHeld(i + 1);
  }
  engines_.control().Hold(false);
  for (auto& answer : answers) executors.insert(std::string(answer.get().report.executor));
  EXPECT_THAT(executors, ElementsAre("cuda:0:0", "cuda:0:1", "cuda:1:0", "cuda:1:1"));
}

// The digit network, as far as the pool looks: its reference answers are those of a FakeEngine.
std::shared_ptr<Model> FakeDigitCnn() {
  auto model = std::make_shared<Model>(FakeModel());
  model->is_digit_cnn = true;
  for (int c = 0; c < 10; ++c) {
    model->spec.reference.pixels.resize((c + 1) * kImagePixels, static_cast<uint8_t>(c));
    for (int i = 0; i < 10; ++i) model->spec.reference.logits.push_back(i == c ? 10.f : 0.f);
  }
  return model;
}

TEST_F(PoolTest, AGpuRunsTheDigitNetworkInHalfPrecisionWhereItPassesTheChecks) {
  pool_ = *Pool::Create({.devices = *ParseDeviceList("cuda:0"), .engines = &engines_});
  engines_.control().set_half_error(0.1f);  // of 10: a hundredth
  EXPECT_EQ((*pool_->Place("m/1", FakeDigitCnn()))->engine_name(), "fake-half");
  EXPECT_EQ((*pool_->Place("m/1", model_))->engine_name(), "fake");  // is no digit network
  Pool::PlaceOptions place;
  int asked = 0;
  place.accept_half = [&](InferenceEngine& half, InferenceEngine& single) {
    EXPECT_EQ(half.precision(), Precision::kHalf);
    EXPECT_EQ(single.precision(), Precision::kSingle);
    ++asked;
    return absl::FailedPreconditionError("another class");
  };
  EXPECT_EQ((*pool_->Place("m/1", FakeDigitCnn(), place))->engine_name(), "fake");
  engines_.control().set_half_error(1);
  EXPECT_EQ((*pool_->Place("m/1", FakeDigitCnn(), place))->engine_name(), "fake");
  EXPECT_EQ(asked, 1);
}

TEST_F(PoolTest, ACpuRunsInSinglePrecision) {
  pool_ = *Pool::Create({.engines = &engines_});
  EXPECT_EQ((*pool_->Place("m/1", FakeDigitCnn()))->engine_name(), "fake");
}

TEST_F(PoolTest, PixelsArePackedIntoTheEnginesOwnMemory) {
  engines_.control().has_input_buffer = true;
  Start(1, 8, {4, 8});
  engines_.control().images_in_buffer = 0;
  const Answer answer = Submit({1, 2, 3}).get();
  EXPECT_EQ(answer.scores[20 + 3], 10);
  EXPECT_EQ(engines_.control().images_in_buffer, 4);  // padded
}

TEST_F(PoolTest, AGpuTakesLargerBatchesAndOneThatFailsLeavesThemToTheCpu) {
  pool_ = *Pool::Create({.devices = *ParseDeviceList("cuda:0,cpu"),
                         .gpu_replicas = 1,
                         .max_batch_size = 4,
                         .max_gpu_batch_size = 16,
                         .engines = &engines_,
                         .clock = &clock_});  // stands still: nothing is repaired
  placed_ = *pool_->Place("m/1", model_);
  EXPECT_EQ(placed_->max_batch_size(), 16);
  EXPECT_EQ(Submit(std::vector<int>(16, 7)).get().report.executor, "cuda:0:0");
  engines_.control().FailNext(1);
  EXPECT_FALSE(Submit({1}).get().status.ok());
  EXPECT_EQ(Submit(std::vector<int>(16, 7)).get().report.executor, "cpu:0");
}

TEST_F(PoolTest, AnEngineThatAnswersNanIsNotPlaced) {
  pool_ = *Pool::Create({.engines = &engines_});
  engines_.control().set_behaviour(FakeEngineControl::Behaviour::kNan);
  EXPECT_FALSE(pool_->Place("m/1", model_).ok());
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
  for (const std::vector<int>& sizes : {std::vector<int>{1, 4}, {4, 1, 32}, {0, 32}, {1, 1, 32}}) {
    EXPECT_THAT(std::string(Pool::Create({.allowed_batch_sizes = sizes, .engines = &engines_}).status().message()),
                HasSubstr("must ascend and end with max_batch_size, 32"));
  }
}

TEST(DeviceListTest, ParsesAndRefuses) {
  EXPECT_EQ(ParseDeviceList("auto")->front().ToString(), "cpu");
  const auto two = ParseDeviceList("cpu,cuda:1");
  ASSERT_TRUE(two.ok());
  EXPECT_EQ(two->at(1).ToString(), "cuda:1");
  EXPECT_THAT(std::string(ParseDeviceList("cpu,gpu").status().message()), HasSubstr("'gpu'"));
  EXPECT_THAT(std::string(ParseDeviceList("cuda:-1").status().message()), HasSubstr("cuda:-1"));
  EXPECT_THAT(std::string(ParseDeviceList("cpu,cpu").status().message()), HasSubstr("twice"));
  EXPECT_FALSE(ParseDeviceList("").ok());
}

TEST(DeviceListTest, AutoIsEveryGpuOrElseTheCpu) {
  const auto names = [](absl::string_view list, int gpus) {
    std::vector<std::string> names;
    const auto devices = ParseDeviceList(list, [gpus] { return gpus; });
    EXPECT_TRUE(devices.ok()) << devices.status();
    for (const Device& device : *devices) names.push_back(device.ToString());
    return names;
  };
  EXPECT_THAT(names("auto", 2), ElementsAre("cuda:0", "cuda:1"));
  EXPECT_THAT(names("auto,cpu", 2), ElementsAre("cuda:0", "cuda:1", "cpu"));
  EXPECT_THAT(names("auto,cpu", 0), ElementsAre("cpu"));
  EXPECT_THAT(names("cuda:1,auto", 2), ElementsAre("cuda:1", "cuda:0"));
  EXPECT_FALSE(ParseDeviceList("auto,auto", [] { return 1; }).ok());
}

}  // namespace
}  // namespace digit
