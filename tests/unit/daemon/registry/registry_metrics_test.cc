#include "daemon/registry/registry_metrics.h"

#include <cmath>
#include <future>

#include "daemon/registry/model_loader.h"
#include "gtest/gtest.h"
#include "tests/support/metric_value.h"
#include "tests/unit/daemon/registry/registry_fixture.h"

namespace digit {
namespace {

class RegistryMetricsTest : public RegistryTest {
 protected:
  void SetUp() override {
    RegistryTest::SetUp();
    AddRegistryMetrics(&metrics_, &registry_);
  }
  void ReloadByLoader(const std::string& name) {
    const auto done = std::make_shared<std::promise<void>>();
    loader_.Reload(
        name, {}, [done](const absl::StatusOr<ModelRegistry::Reloaded>&) { done->set_value(); }, [] { return false; });
    done->get_future().wait();
  }
  double Value(const std::string& name, const LabelValues& labels) const { return ValueOf(metrics_, name, labels); }
  double Reloads(const std::string& model, const std::string& outcome) const {
    return Value("digit_model_reloads_total", {model, outcome});
  }

  MetricRegistry metrics_;
  ReloadMetrics reloads_{&metrics_};
  ModelLoader loader_{{.registry = &registry_, .metrics = &reloads_}};
};

TEST_F(RegistryMetricsTest, TheLiveVersionAndItsState) {
  EXPECT_EQ(Value("digit_model_version_info", {"mnist", first_->version, "live"}), 1);
  EXPECT_EQ(Value("digit_model_serving", {"mnist"}), 1);
  EXPECT_EQ(Value("digit_model_live_since_seconds", {"mnist", first_->version}), 0);
  EXPECT_EQ(Value("digit_queue_images", {"mnist"}), 0);
  EXPECT_EQ(Value("digit_engine_failures_total", {"mnist", first_->version, "cpu:0"}), 0);
}

TEST_F(RegistryMetricsTest, ReloadsByOutcomeAndRollbacks) {
  ReloadByLoader("");
  EXPECT_EQ(Reloads("mnist", "unchanged"), 1);
  Write(Shifted(1));
  ReloadByLoader("mnist");
  EXPECT_EQ(Reloads("mnist", "loaded"), 1);
  EXPECT_EQ(Value("digit_model_version_info", {"mnist", first_->version, "kept"}), 1);
  Write(Sevens());
  ReloadByLoader("mnist");
  EXPECT_EQ(Reloads("mnist", "refused"), 1);
  Write("no model");
  ReloadByLoader("mnist");
  EXPECT_EQ(Reloads("mnist", "failed"), 1);

  EXPECT_EQ(Value("digit_model_rollbacks_total", {"mnist"}), 0);
  ASSERT_TRUE(loader_.Rollback("mnist").ok());
  EXPECT_EQ(Value("digit_model_rollbacks_total", {"mnist"}), 1);
  EXPECT_EQ(Value("digit_model_version_info", {"mnist", first_->version, "live"}), 1);
}

TEST_F(RegistryMetricsTest, NamesThatNobodyHasDoNotBecomeLabels) {
  ReloadByLoader("no-such-model");
  ReloadByLoader("nor-this-one");
  EXPECT_EQ(Reloads("", "failed"), 2);
  EXPECT_TRUE(std::isnan(Reloads("no-such-model", "failed")));
}

TEST_F(RegistryMetricsTest, AModelWithoutWorkingEnginesIsNotServing) {
  engines_.broken[first_->model->identity] = true;
  const auto done = std::make_shared<std::promise<void>>();
  class Picture : public InferenceTask {
   public:
    explicit Picture(std::shared_ptr<std::promise<void>> done)
        : InferenceTask(1, SteadyTime::InfiniteFuture()), done_(std::move(done)) {}
    bool cancelled() const override { return false; }
    void PackPixels(uint8_t* destination) const override { std::fill_n(destination, kImagePixels, uint8_t{9}); }
    void Complete(absl::Span<const float>, const BatchReport&) override { done_->set_value(); }
    void Fail(const absl::Status&) override { done_->set_value(); }

   private:
    const std::shared_ptr<std::promise<void>> done_;
  };
  std::unique_ptr<Task> task = std::make_unique<Picture>(done);
  ASSERT_TRUE(first_->placed->Submit(absl::MakeSpan(&task, 1)).ok());
  done->get_future().wait();
  EXPECT_EQ(Value("digit_model_serving", {"mnist"}), 0);
  EXPECT_EQ(Value("digit_engine_failures_total", {"mnist", first_->version, "cpu:0"}), 1);
}

}  // namespace
}  // namespace digit
