// All metrics of a program, by name, for whoever shows them (MetricsServer).
//
// What happens is counted where it happens (Counter, Histogram); what can be looked up is asked for when somebody reads
// (AddPulled). Names and labels follow Prometheus: base units, `_total` at the end of counters and of nothing else,
// labels whose values are few. All are added while the program starts; from the first Collect() on, thread-safe.
#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "base/telemetry/counter.h"
#include "base/telemetry/histogram.h"

namespace digit {

enum class MetricType { kCounter, kGauge, kHistogram };

using LabelValues = std::vector<std::string>;  // in the order of the metric's label names

// One name, as it was read.
struct MetricReading {
  std::string name, help;
  MetricType type = MetricType::kGauge;
  std::vector<std::string> label_names;
  std::map<LabelValues, double> values;                  // of counters and gauges
  std::map<LabelValues, Histogram::Reading> histograms;  // of histograms
};

// What a pulled metric says when it is asked.
class Samples {
 public:
  explicit Samples(MetricReading* reading) : reading_(reading) {}
  void Set(std::initializer_list<absl::string_view> labels, double value);
  // Of the same labels: the sum.
  void Add(std::initializer_list<absl::string_view> labels, double value);

 private:
  double& At(std::initializer_list<absl::string_view> labels);
  MetricReading* const reading_;
};

// A T for each combination of label values that was ever asked for.
template <typename T>
class MetricFamily {
 public:
  MetricFamily(size_t num_labels, std::function<std::unique_ptr<T>()> make)
      : num_labels_(num_labels), make_(std::move(make)) {}

  // Made at the first call, starting from nothing, and kept for ever. Takes a lock and allocates: hot paths keep the
  // reference.
  T& With(std::initializer_list<absl::string_view> labels) ABSL_LOCKS_EXCLUDED(mu_);

  void ForEach(const std::function<void(const LabelValues&, const T&)>& see) const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  const size_t num_labels_;
  const std::function<std::unique_ptr<T>()> make_;
  mutable Mutex mu_;
  std::map<LabelValues, std::unique_ptr<T>> all_ ABSL_GUARDED_BY(mu_);
};

using CounterFamily = MetricFamily<Counter>;
using HistogramFamily = MetricFamily<Histogram>;

class MetricRegistry {
 public:
  using LabelNames = std::vector<std::string>;
  using Pull = std::function<void(Samples*)>;

  // A name that is taken or no name, and a counter without `_total`, are our own bugs (checked). What is returned lives
  // as long as the registry.
  CounterFamily& AddCounters(const std::string& name, const std::string& help, const LabelNames& labels);
  HistogramFamily& AddHistograms(const std::string& name, const std::string& help, const LabelNames& labels,
                                 const Histogram::Buckets& buckets);
  // Calls `pull` for each Collect(), on its thread. `type`: a counter or a gauge.
  void AddPulled(MetricType type, const std::string& name, const std::string& help, const LabelNames& labels,
                 Pull pull);

  // In the order in which they were added.
  std::vector<MetricReading> Collect() const;

 private:
  struct Entry {
    MetricReading empty;
    std::function<void(MetricReading*)> read;
  };
  void Add(MetricType type, const std::string& name, const std::string& help, const LabelNames& labels,
           std::function<void(MetricReading*)> read);

  std::vector<Entry> entries_;
};

}  // namespace digit
