#include "base/telemetry/metric_registry.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "base/check.h"

namespace digit {
namespace {

bool IsName(absl::string_view name) {
  constexpr absl::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz_0123456789";
  return !name.empty() && !(name[0] >= '0' && name[0] <= '9') &&
         name.find_first_not_of(kAllowed) == absl::string_view::npos;
}

LabelValues ValuesOf(std::initializer_list<absl::string_view> labels) { return {labels.begin(), labels.end()}; }

}  // namespace

double& Samples::At(std::initializer_list<absl::string_view> labels) {
  DIGIT_CHECK(labels.size() == reading_->label_names.size());
  return reading_->values[ValuesOf(labels)];
}

void Samples::Set(std::initializer_list<absl::string_view> labels, double value) { At(labels) = value; }
void Samples::Add(std::initializer_list<absl::string_view> labels, double value) { At(labels) += value; }

template <typename T>
T& MetricFamily<T>::With(std::initializer_list<absl::string_view> labels) {
  DIGIT_CHECK(labels.size() == num_labels_);
  MutexLock lock(&mu_);
  std::unique_ptr<T>& metric = all_[ValuesOf(labels)];
  if (metric == nullptr) metric = make_();
  return *metric;
}

template <typename T>
void MetricFamily<T>::ForEach(const std::function<void(const LabelValues&, const T&)>& see) const {
  MutexLock lock(&mu_);
  for (const auto& [labels, metric] : all_) see(labels, *metric);
}

template class MetricFamily<Counter>;
template class MetricFamily<Histogram>;

CounterFamily& MetricRegistry::AddCounters(const std::string& name, const std::string& help, const LabelNames& labels) {
  const auto family = std::make_shared<CounterFamily>(labels.size(), [] { return std::make_unique<Counter>(); });
  Add(MetricType::kCounter, name, help, labels, [family](MetricReading* reading) {
    family->ForEach([reading](const LabelValues& values, const Counter& counter) {
      reading->values[values] = static_cast<double>(counter.value());
    });
  });
  return *family;
}

HistogramFamily& MetricRegistry::AddHistograms(const std::string& name, const std::string& help,
                                               const LabelNames& labels, const Histogram::Buckets& buckets) {
  const auto family =
      std::make_shared<HistogramFamily>(labels.size(), [buckets] { return std::make_unique<Histogram>(buckets); });
  Add(MetricType::kHistogram, name, help, labels, [family](MetricReading* reading) {
    family->ForEach([reading](const LabelValues& values, const Histogram& histogram) {
      reading->histograms[values] = histogram.Read();
    });
  });
  return *family;
}

void MetricRegistry::AddPulled(MetricType type, const std::string& name, const std::string& help,
                               const LabelNames& labels, Pull pull) {
  DIGIT_CHECK(type != MetricType::kHistogram);
  Add(type, name, help, labels, [pull = std::move(pull)](MetricReading* reading) {
    Samples samples(reading);
    pull(&samples);
  });
}

void MetricRegistry::Add(MetricType type, const std::string& name, const std::string& help, const LabelNames& labels,
                         std::function<void(MetricReading*)> read) {
  DIGIT_CHECK(IsName(name) && std::all_of(labels.begin(), labels.end(), IsName));
  DIGIT_CHECK(help.find_first_of("\\\n") == std::string::npos);  // prometheus-cpp would not escape them
  DIGIT_CHECK((type == MetricType::kCounter) == absl::EndsWith(name, "_total"));
  DIGIT_CHECK(std::none_of(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.empty.name == name; }));
  entries_.push_back({{.name = name, .help = help, .type = type, .label_names = labels}, std::move(read)});
}

std::vector<MetricReading> MetricRegistry::Collect() const {
  std::vector<MetricReading> readings;
  for (const Entry& entry : entries_) entry.read(&readings.emplace_back(entry.empty));
  return readings;
}

}  // namespace digit
