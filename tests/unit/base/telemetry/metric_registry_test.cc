#include "base/telemetry/metric_registry.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/metric_value.h"

namespace digit {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(MetricRegistryTest, TheSameLabelsAreTheSameCounter) {
  MetricRegistry metrics;
  CounterFamily& family = metrics.AddCounters("digit_things_total", "Things.", {"model", "kind"});
  Counter& first = family.With({"mnist", "a"});
  first.Add(2);
  EXPECT_EQ(&family.With({"mnist", "a"}), &first);
  family.With({"mnist", "b"}).Add();
  EXPECT_EQ(ValueOf(metrics, "digit_things_total", {"mnist", "a"}), 2);
  EXPECT_EQ(ValueOf(metrics, "digit_things_total", {"mnist", "b"}), 1);
  EXPECT_TRUE(std::isnan(ValueOf(metrics, "digit_things_total", {"fashion", "a"})));
}

TEST(MetricRegistryTest, CollectsInOrderWithWhatANameMeans) {
  MetricRegistry metrics;
  metrics.AddHistograms("digit_size", "Sizes.", {"model"}, {.bounds = {1, 2}}).With({"m"}).Observe(2);
  metrics.AddCounters("digit_things_total", "Things.", {});
  metrics.AddPulled(MetricType::kGauge, "digit_open", "Open.", {}, [](Samples* samples) { samples->Set({}, 3); });
  const std::vector<MetricReading> readings = metrics.Collect();
  ASSERT_EQ(readings.size(), 3u);
  EXPECT_EQ(readings[0].name, "digit_size");
  EXPECT_EQ(readings[0].help, "Sizes.");
  EXPECT_EQ(readings[0].type, MetricType::kHistogram);
  EXPECT_THAT(readings[0].label_names, ElementsAre("model"));
  EXPECT_THAT(readings[0].histograms.at({"m"}).counts, ElementsAre(0, 1, 0));
  EXPECT_EQ(readings[1].type, MetricType::kCounter);
  EXPECT_THAT(readings[1].values, IsEmpty());
  EXPECT_EQ(readings[2].type, MetricType::kGauge);
  EXPECT_THAT(readings[2].values, ElementsAre(Pair(LabelValues(), 3)));
}

TEST(MetricRegistryTest, WhatIsPulledIsAskedForEachTimeAndNeverTwiceThere) {
  MetricRegistry metrics;
  int asked = 0;
  metrics.AddPulled(MetricType::kGauge, "digit_waiting", "Waiting.", {"model"}, [&asked](Samples* samples) {
    ++asked;
    samples->Add({"m"}, 1);
    samples->Add({"m"}, asked);
    samples->Set({"n"}, 1);
    samples->Set({"n"}, 1);
  });
  EXPECT_EQ(ValueOf(metrics, "digit_waiting", {"m"}), 2);
  EXPECT_EQ(ValueOf(metrics, "digit_waiting", {"m"}), 3);
  EXPECT_EQ(ValueOf(metrics, "digit_waiting", {"n"}), 1);
}

TEST(MetricRegistryDeathTest, NamesAreUniqueAndAsPrometheusWantsThem) {
  MetricRegistry metrics;
  metrics.AddCounters("digit_things_total", "Things.", {"model"});
  EXPECT_DEATH(metrics.AddCounters("digit_things_total", "Again.", {}), "name == name");
  EXPECT_DEATH(metrics.AddCounters("digit_things", "No _total.", {}), "_total");
  EXPECT_DEATH(metrics.AddPulled(MetricType::kGauge, "digit_x_total", "No counter.", {}, [](Samples*) {}), "_total");
  EXPECT_DEATH(metrics.AddCounters("digit-things_total", "No name.", {}), "IsName");
  EXPECT_DEATH(metrics.AddCounters("digit_other_total", "No label.", {"two words"}), "IsName");
  EXPECT_DEATH(metrics.AddCounters("digit_other_total", "Two\nlines.", {}), "help");
}

TEST(MetricRegistryDeathTest, ValuesAreAsManyAsLabels) {
  MetricRegistry metrics;
  CounterFamily& family = metrics.AddCounters("digit_things_total", "Things.", {"model"});
  EXPECT_DEATH(family.With({}), "num_labels_");
  EXPECT_DEATH(family.With({"a", "b"}), "num_labels_");
}

}  // namespace
}  // namespace digit
