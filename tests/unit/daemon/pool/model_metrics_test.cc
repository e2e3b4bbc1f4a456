// What a pool counts of the models that are placed on it.
#include "daemon/pool/model_metrics.h"

#include <future>

#include "daemon/pool/pool.h"
#include "daemon/pool/pool_metrics.h"
#include "gtest/gtest.h"
#include "tests/support/fake_engine.h"
#include "tests/support/metric_value.h"

namespace digit {
namespace {

class WaitingTask : public InferenceTask {
 public:
  WaitingTask(int images, std::promise<absl::Status> done)
      : InferenceTask(images, SteadyTime::InfiniteFuture()), done_(std::move(done)) {}
  bool cancelled() const override { return false; }
  void PackPixels(uint8_t* destination) const override { std::fill_n(destination, num_images() * kImagePixels, 1); }
  void Complete(absl::Span<const float>, const BatchReport&) override { done_.set_value(absl::OkStatus()); }
  void Fail(const absl::Status& status) override { done_.set_value(status); }

 private:
  std::promise<absl::Status> done_;
};

class ModelMetricsTest : public ::testing::Test {
 protected:
  absl::Status Run(PlacedModel& placed, int images) {
    std::promise<absl::Status> done;
    std::future<absl::Status> answer = done.get_future();
    std::unique_ptr<Task> task = std::make_unique<WaitingTask>(images, std::move(done));
    const absl::Status submitted = placed.Submit(absl::MakeSpan(&task, 1));
    return submitted.ok() ? answer.get() : submitted;
  }
  double Value(const std::string& name, const LabelValues& labels = {}) const {
    return ValueOf(metrics_, name, labels);
  }

  MetricRegistry metrics_;
  ModelMetricFamilies families_{&metrics_};
  FakeEngineFactory engines_;
  std::unique_ptr<Pool> pool_ =
      *Pool::Create({.replicas = 1, .max_batch_size = 4, .engines = &engines_, .metrics = &families_});
  std::shared_ptr<PlacedModel> placed_ = *pool_->Place("m/1", std::make_shared<Model>(FakeModel()));
};

TEST_F(ModelMetricsTest, BatchesWithTheirSizeAndTimeButNotTheWarmUp) {
  EXPECT_EQ(Value("digit_batch_size", {"m"}), 0);
  ASSERT_TRUE(Run(*placed_, 4).ok());
  ASSERT_TRUE(Run(*placed_, 1).ok());
  EXPECT_EQ(Value("digit_batch_size", {"m"}), 2);
  EXPECT_EQ(Value("digit_compute_seconds", {"m"}), 2);
  EXPECT_EQ(Value("digit_queue_wait_seconds", {"m"}), 2);
  EXPECT_EQ(Value("digit_batch_cut_total", {"m", "full"}), 1);
  EXPECT_EQ(Value("digit_batch_cut_total", {"m", "idle"}), 1);
  EXPECT_EQ(Value("digit_batch_cut_total", {"m", "delay"}), 0);
}

TEST_F(ModelMetricsTest, TheVersionsOfAModelTogetherApartFromOtherModels) {
  const auto next = *pool_->Place("m/2", std::make_shared<Model>(FakeModel()));
  const auto other = *pool_->Place("other/1", std::make_shared<Model>(FakeModel()));
  ASSERT_TRUE(Run(*placed_, 1).ok());
  ASSERT_TRUE(Run(*next, 1).ok());
  ASSERT_TRUE(Run(*other, 1).ok());
  EXPECT_EQ(Value("digit_batch_size", {"m"}), 2);
  EXPECT_EQ(Value("digit_batch_size", {"other"}), 1);
  placed_ = nullptr;
  EXPECT_EQ(Value("digit_batch_size", {"m"}), 2) << "what was counted stays when a version goes";
}

TEST_F(ModelMetricsTest, BatchesThatFailAndWhatNoEngineIsLeftFor) {
  engines_.control().FailNext(1);
  engines_.control().FailNextCreations(1 << 20);  // no repair
  EXPECT_FALSE(Run(*placed_, 2).ok());
  EXPECT_EQ(Value("digit_compute_seconds", {"m"}), 1);
  EXPECT_EQ(placed_->engine_states()[0].failures, 1);
  EXPECT_EQ(Run(*placed_, 3).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Value("digit_refused_total", {"m", "no_executor"}), 3);
}

TEST_F(ModelMetricsTest, ThePoolSaysHowManyExecutorsThereAreAndHowBusy) {
  AddPoolMetrics(&metrics_, pool_.get());
  EXPECT_EQ(Value("digit_executors"), 1);
  ASSERT_TRUE(Run(*placed_, 1).ok());
  ASSERT_TRUE(Run(*placed_, 1).ok());  // so that the first is done
  EXPECT_GT(Value("digit_executor_busy_seconds_total", {"cpu:0"}), 0);
}

TEST_F(ModelMetricsTest, WithoutFamiliesNothingIsCounted) {
  const auto pool = *Pool::Create({.max_batch_size = 4, .engines = &engines_});
  const auto placed = *pool->Place("m/1", std::make_shared<Model>(FakeModel()));
  ASSERT_TRUE(Run(*placed, 1).ok());
  placed->metrics().CountImages(ImageOutcome::kConfident, 1);
  EXPECT_EQ(Value("digit_batch_size", {"m"}), 0);
}

}  // namespace
}  // namespace digit
