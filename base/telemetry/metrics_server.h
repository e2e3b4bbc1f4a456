// Serves a MetricRegistry over HTTP, for Prometheus to scrape: GET /metrics.
//
// The only place that knows prometheus-cpp and its web server, which listens on IPv4 alone (Debian's civetweb is built
// so), gives one answer a connection, and cuts those that send no request within a second. Threads: three of its own;
// two answer at a time. They start with the niceness and the signal mask of whoever calls Start().
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/telemetry/metric_registry.h"

namespace digit {

class MetricsServer {
 public:
  // `host_port`: "127.0.0.1:9464"; port 0 picks one. `metrics` must outlive the server. UNAVAILABLE: the address cannot
  // be listened on; the web server does not say why.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(const MetricRegistry* metrics,
                                                              const std::string& host_port);
  // Answers what is being asked, for a second at most; from then on nothing reads the registry any more.
  ~MetricsServer();

  // With the port that was picked.
  const std::string& address() const { return address_; }

 private:
  class Impl;
  MetricsServer();

  std::unique_ptr<Impl> impl_;
  std::string address_;
};

}  // namespace digit
