// What the handlers of calls share.
#pragma once

#include <atomic>
#include <string>

#include "absl/hash/hash.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/retry_after.h"
#include "daemon/batching/task.h"
#include "daemon/rpc/authorizer.h"
#include "daemon/rpc/codec.h"
#include "daemon/rpc/rpc_metrics.h"
#include "daemon/rpc/status_mapping.h"
#include "grpcpp/server_context.h"

namespace digit {

inline constexpr FlowId kConnectionFlow = FlowId{1} << 63;  // set for connections, not for streams

// Of a stream, and of no other in this process.
inline FlowId NextStreamFlow() {
  static std::atomic<FlowId> next{0};
  return next.fetch_add(1, std::memory_order_relaxed) & ~kConnectionFlow;
}

// Unary calls of one connection are one flow.
inline FlowId FlowOf(const grpc::CallbackServerContext& context) {
  return absl::HashOf(context.peer()) | kConnectionFlow;
}

inline CallOrigin OriginOf(const grpc::CallbackServerContext& context) {
  CallOrigin origin{.peer = context.peer(), .request_ids = {}, .traceparent = {}};
  const auto& metadata = context.client_metadata();
  for (auto [at, end] = metadata.equal_range("x-request-id"); at != end; ++at) {
    const absl::string_view id(at->second.data(), at->second.size());
    absl::StrAppend(&origin.request_ids, origin.request_ids.empty() ? "" : ",", id);
  }
  const auto trace = metadata.find("traceparent");
  if (trace != metadata.end()) origin.traceparent = std::string(trace->second.data(), trace->second.size());
  return origin;
}

inline grpc::ServerUnaryReactor* FinishWith(UnaryCall* reactor, const absl::Status& status) {
  reactor->Finish(ToGrpcStatus(status));
  return reactor;
}

// When to try again, where the status says so. Before Finish().
inline void AddRetryAfter(const absl::Status& status, grpc::CallbackServerContext* context) {
  const auto retry_after = RetryAfterOf(status);
  if (retry_after) context->AddTrailingMetadata(kRetryPushback, absl::StrCat(absl::ToInt64Milliseconds(*retry_after)));
}

// Who did what; failures too. In model_calls.cc.
void LogAdminCall(absl::string_view method, const std::string& peer, absl::string_view what,
                  const absl::Status& status);
inline void LogAdminCall(absl::string_view method, const grpc::CallbackServerContext& context, absl::string_view what,
                         const absl::Status& status) {
  LogAdminCall(method, context.peer(), what, status);
}

// Whether the caller may; else the call is finished and logged. In model_calls.cc.
bool Admits(const Authorizer& authorizer, absl::string_view method, const grpc::CallbackServerContext& context,
            absl::string_view what, UnaryCall* reactor);

// Bytes of the requests with pictures that are unanswered, all unary calls together. Thread-safe.
class CallBytes {
 public:
  explicit CallBytes(size_t max) : max_(max) {}
  // RESOURCE_EXHAUSTED: that would be too many; one alone always passes. Give() must follow in any case.
  absl::Status Take(size_t bytes) {
    const size_t others = bytes_.fetch_add(bytes, std::memory_order_relaxed);
    if (others == 0 || others + bytes <= max_) return absl::OkStatus();
    return absl::ResourceExhaustedError(absl::StrCat("requests of ", others, " bytes are unanswered; with ", bytes,
                                                     " more they would exceed the limit of ", max_));
  }
  void Give(size_t bytes) { bytes_.fetch_sub(bytes, std::memory_order_relaxed); }

 private:
  const size_t max_;
  std::atomic<size_t> bytes_{0};
};

}  // namespace digit
