#include "base/telemetry/process_metrics.h"

#include <fcntl.h>
#include <unistd.h>

#include "absl/time/clock.h"
#include "base/build_info.h"
#include "gtest/gtest.h"
#include "tests/support/metric_value.h"

namespace digit {
namespace {

TEST(ProcessMetricsTest, SayWhatTheProcessIs) {
  MetricRegistry metrics;
  AddProcessMetrics(&metrics);
  EXPECT_EQ(ValueOf(metrics, "digit_build_info", {Version()}), 1);
  EXPECT_GT(ValueOf(metrics, "process_resident_memory_bytes"), 1 << 20);
  EXPECT_GT(ValueOf(metrics, "process_cpu_seconds_total"), 0);
}

TEST(ProcessMetricsTest, CountDescriptors) {
  MetricRegistry metrics;
  AddProcessMetrics(&metrics);
  const double before = ValueOf(metrics, "process_open_fds");
  const int one_more = ::open("/dev/null", O_RDONLY);
  EXPECT_EQ(ValueOf(metrics, "process_open_fds"), before + 1);
  ::close(one_more);
  EXPECT_EQ(ValueOf(metrics, "process_open_fds"), before);
}

}  // namespace
}  // namespace digit
