// What is counted of calls, and unary calls that count themselves.
#pragma once

#include <array>
#include <utility>

#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/telemetry/metric_registry.h"
#include "grpcpp/support/server_callback.h"
#include "grpcpp/support/status.h"

namespace digit {

// Methods that are called all the time; of streams each message counts as a call.
enum class HotMethod { kRecognize, kRecognizeStream, kModelInfer, kModelStreamInfer };
inline constexpr int kNumHotMethods = 4;

// Thread-safe.
class RpcMetrics {
 public:
  explicit RpcMetrics(MetricRegistry* metrics);

  // No lock and no lookup for the codes that these methods are known to give.
  void CountHot(HotMethod method, grpc::StatusCode code, absl::Duration took);

  // Of any other method. Takes a lock.
  void Count(absl::string_view method, grpc::StatusCode code, absl::Duration took);

 private:
  static constexpr int kNumCodes = 17;
  struct Series {
    absl::string_view name;
    Histogram* duration = nullptr;
    std::array<Counter*, kNumCodes> by_code = {};  // null: asked for when it comes
  };
  Series MakeHot(absl::string_view name);

  CounterFamily& requests_;
  HistogramFamily& durations_;
  const std::array<Series, kNumHotMethods> hot_;
};

// Counts one call, timed from when this is made.
class CallTimer {
 public:
  // `metrics` null: not counted. `method`: "ListModels", a constant.
  CallTimer(RpcMetrics* metrics, absl::string_view method, const Clock* clock)
      : metrics_(metrics), method_(method), clock_(clock), arrived_(clock->Now()) {}

  // Once, before the call is finished.
  void Count(grpc::StatusCode code) const {
    if (metrics_ != nullptr) metrics_->Count(method_, code, clock_->Now() - arrived_);
  }

 private:
  RpcMetrics* metrics_;
  absl::string_view method_;
  const Clock* clock_;
  SteadyTime arrived_;
};

// A unary call that is counted when it is finished; deletes itself when gRPC is done with it.
class UnaryCall final : public grpc::ServerUnaryReactor {
 public:
  explicit UnaryCall(const CallTimer& timer) : timer_(timer) {}

  // In place of the base's.
  void Finish(grpc::Status status) {
    timer_.Count(status.error_code());
    grpc::ServerUnaryReactor::Finish(std::move(status));
  }
  void OnDone() override { delete this; }

 private:
  const CallTimer timer_;
};

}  // namespace digit
