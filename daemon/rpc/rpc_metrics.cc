#include "daemon/rpc/rpc_metrics.h"

#include <string>

#include "absl/status/status.h"

namespace digit {
namespace {

// "NOT_FOUND"; gRPC's codes are Abseil's.
std::string NameOf(grpc::StatusCode code) { return absl::StatusCodeToString(static_cast<absl::StatusCode>(code)); }

// What they give; kept ready, and shown before they come, so that the first one is seen as an increase.
constexpr grpc::StatusCode kKnownCodes[] = {
    grpc::OK,          grpc::INVALID_ARGUMENT,  grpc::NOT_FOUND, grpc::RESOURCE_EXHAUSTED,
    grpc::UNAVAILABLE, grpc::DEADLINE_EXCEEDED, grpc::CANCELLED, grpc::INTERNAL};

}  // namespace

RpcMetrics::RpcMetrics(MetricRegistry* metrics)
    : requests_(metrics->AddCounters("digit_rpc_requests_total",
                                     "Calls answered, and messages of streams, by status code.", {"method", "code"})),
      durations_(metrics->AddHistograms("digit_rpc_duration_seconds",
                                        "Time from the arrival of a call, or a stream's message, to its answer.",
                                        {"method"}, Histogram::Seconds())),
      hot_{MakeHot("Recognize"), MakeHot("RecognizeStream"), MakeHot("ModelInfer"), MakeHot("ModelStreamInfer")} {}

RpcMetrics::Series RpcMetrics::MakeHot(absl::string_view name) {
  Series method{.name = name, .duration = &durations_.With({name})};
  for (const grpc::StatusCode code : kKnownCodes) method.by_code[code] = &requests_.With({name, NameOf(code)});
  return method;
}

void RpcMetrics::CountHot(HotMethod hot, grpc::StatusCode code, absl::Duration took) {
  const Series& method = hot_[static_cast<size_t>(hot)];
  method.duration->Observe(took);
  Counter* const known = code >= 0 && code < kNumCodes ? method.by_code[code] : nullptr;
  (known != nullptr ? *known : requests_.With({method.name, NameOf(code)})).Add();
}

void RpcMetrics::Count(absl::string_view method, grpc::StatusCode code, absl::Duration took) {
  durations_.With({method}).Observe(took);
  requests_.With({method, NameOf(code)}).Add();
}

}  // namespace digit
