#include "base/telemetry/metrics_server.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <prometheus/metric_family.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <limits>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/threads.h"

namespace digit {
namespace {

prometheus::MetricType TypeOf(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return prometheus::MetricType::Counter;
    case MetricType::kGauge:
      return prometheus::MetricType::Gauge;
    case MetricType::kHistogram:
      return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

prometheus::ClientMetric Labelled(const MetricReading& reading, const LabelValues& values) {
  prometheus::ClientMetric metric;
  for (size_t i = 0; i < values.size(); ++i) metric.label.push_back({reading.label_names[i], values[i]});
  return metric;
}

prometheus::ClientMetric::Histogram Cumulative(const Histogram::Reading& reading) {
  prometheus::ClientMetric::Histogram histogram;
  histogram.sample_sum = reading.sum;
  for (size_t i = 0; i < reading.counts.size(); ++i) {
    histogram.sample_count += reading.counts[i];
    const double bound = i < reading.bounds.size() ? reading.bounds[i] : std::numeric_limits<double>::infinity();
    histogram.bucket.push_back({histogram.sample_count, bound});
  }
  return histogram;
}

prometheus::MetricFamily Convert(const MetricReading& reading) {
  prometheus::MetricFamily family{.name = reading.name, .help = reading.help, .type = TypeOf(reading.type)};
  for (const auto& [labels, value] : reading.values) {
    prometheus::ClientMetric& metric = family.metric.emplace_back(Labelled(reading, labels));
    metric.counter.value = metric.gauge.value = value;  // the family's type says which of them is shown
  }
  for (const auto& [labels, histogram] : reading.histograms) {
    family.metric.emplace_back(Labelled(reading, labels)).histogram = Cumulative(histogram);
  }
  return family;
}

class Scraped : public prometheus::Collectable {
 public:
  explicit Scraped(const MetricRegistry* metrics) : metrics_(metrics) {}
  std::vector<prometheus::MetricFamily> Collect() const override {
    std::vector<prometheus::MetricFamily> families;
    for (const MetricReading& reading : metrics_->Collect()) families.push_back(Convert(reading));
    return families;
  }

 private:
  const MetricRegistry* const metrics_;
};

absl::StatusOr<in_addr> Resolve(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failure = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (failure != 0) {
    return absl::UnavailableError(absl::StrCat("'", host, "' is no IPv4 address: ", ::gai_strerror(failure)));
  }
  const in_addr address = reinterpret_cast<sockaddr_in*>(found->ai_addr)->sin_addr;
  ::freeaddrinfo(found);
  return address;
}

}  // namespace

class MetricsServer::Impl {
 public:
  Impl(const MetricRegistry* metrics, in_addr host, const std::string& port)
      : host_(host), scraped_(std::make_shared<Scraped>(metrics)) {
    char text[INET_ADDRSTRLEN];
    ::inet_ntop(AF_INET, &host, text, sizeof(text));
    const std::vector<std::string> options = {"listening_ports",    absl::StrCat(text, ":", port),  //
                                              "num_threads",        "2",                            //
                                              "request_timeout_ms", "1000"};
    exposer_ = std::make_unique<prometheus::Exposer>(options);
    exposer_->RegisterCollectable(scraped_);
    port_ = exposer_->GetListeningPorts().front();
  }

  // The web server looks whether it is to stop when somebody connects, else every two seconds: so somebody does.
  ~Impl() {
    std::atomic<bool> stopped = false;
    std::thread stop = StartThread("metrics-stop", [&] {
      exposer_.reset();
      stopped = true;
    });
    while (!stopped) {
      Knock();
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    stop.join();
  }

  int port() const { return port_; }

 private:
  void Knock() const {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port_));
    address.sin_addr = host_;
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return;
    (void)::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address));
    ::close(fd);
  }

  const in_addr host_;
  int port_ = 0;
  const std::shared_ptr<Scraped> scraped_;
  std::unique_ptr<prometheus::Exposer> exposer_;
};

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(const MetricRegistry* metrics,
                                                                    const std::string& host_port) {
  const size_t colon = host_port.rfind(':');
  const std::string host = host_port.substr(0, colon);
  ASSIGN_OR_RETURN(const in_addr address, Resolve(host));
  try {
    auto impl = std::make_unique<Impl>(metrics, address, host_port.substr(colon + 1));
    std::unique_ptr<MetricsServer> server(new MetricsServer);
    server->address_ = absl::StrCat(host, ":", impl->port());
    server->impl_ = std::move(impl);
    return server;
  } catch (const std::exception& e) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", host_port, " for metrics: ", e.what()));
  }
}

MetricsServer::MetricsServer() = default;
MetricsServer::~MetricsServer() = default;

}  // namespace digit
