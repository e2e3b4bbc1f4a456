#include "base/telemetry/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "base/build_info.h"
#include "base/file.h"

namespace digit {
namespace {

constexpr int64_t kMaxBytes = 1 << 20;  // /proc/stat has a line for each processor

// Number `index` of the words in `text`.
std::optional<double> WordAsNumber(absl::string_view text, size_t index) {
  const std::vector<absl::string_view> words = absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty());
  double number = 0;
  if (index >= words.size() || !absl::SimpleAtod(words[index], &number)) return std::nullopt;
  return number;
}

std::optional<double> ResidentBytes() {
  const absl::StatusOr<std::string> pages = ReadFile("/proc/self/statm", kMaxBytes);
  const auto resident = pages.ok() ? WordAsNumber(*pages, 1) : std::nullopt;
  if (!resident) return std::nullopt;
  return *resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

std::optional<double> CpuSeconds() {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return std::nullopt;
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + 1e-6 * t.tv_usec; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::optional<double> OpenDescriptors() {
  std::error_code error;
  std::filesystem::directory_iterator open("/proc/self/fd", error);
  int found = -1;  // without the one that lists them
  for (; !error && open != end(open); open.increment(error)) ++found;
  if (error) return std::nullopt;
  return found;
}

// The boot, in seconds since 1970, and the ticks from then to this process's start.
std::optional<double> StartTime() {
  const absl::StatusOr<std::string> machine = ReadFile("/proc/stat", kMaxBytes);
  const absl::StatusOr<std::string> process = ReadFile("/proc/self/stat", kMaxBytes);
  if (!machine.ok() || !process.ok()) return std::nullopt;
  const size_t boot_line = machine->find("\nbtime ");
  const size_t name_end = process->rfind(')');  // the name before it may hold blanks
  if (boot_line == std::string::npos || name_end == std::string::npos) return std::nullopt;
  const auto boot = WordAsNumber(absl::string_view(*machine).substr(boot_line), 1);
  const auto ticks = WordAsNumber(absl::string_view(*process).substr(name_end + 1), 19);  // field 22
  if (!boot || !ticks) return std::nullopt;
  return *boot + *ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

void AddProcessMetric(MetricRegistry* metrics, MetricType type, const std::string& name, const std::string& help,
                      std::optional<double> (*read)()) {
  metrics->AddPulled(type, name, help, {}, [read](Samples* samples) {
    if (const std::optional<double> value = read()) samples->Set({}, *value);
  });
}

}  // namespace

void AddProcessMetrics(MetricRegistry* metrics) {
  metrics->AddPulled(MetricType::kGauge, "digit_build_info", "1, with the version of the program.", {"version"},
                     [](Samples* samples) { samples->Set({Version()}, 1); });
  AddProcessMetric(metrics, MetricType::kGauge, "process_resident_memory_bytes", "Memory in use.", &ResidentBytes);
  AddProcessMetric(metrics, MetricType::kCounter, "process_cpu_seconds_total", "Processor time used.", &CpuSeconds);
  AddProcessMetric(metrics, MetricType::kGauge, "process_open_fds", "Descriptors that are open.", &OpenDescriptors);
  AddProcessMetric(metrics, MetricType::kGauge, "process_start_time_seconds", "When the process started, since 1970.",
                   &StartTime);
}

}  // namespace digit
