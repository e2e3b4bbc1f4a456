#include "client/lib/channel.h"

#include <grpcpp/grpcpp.h>

#include "client/lib/server_address.h"

namespace digit {
namespace {

// Attempts 100, 200 and 400 ms apart, give or take: a daemon that restarts is back within them, and a user who forgot
// to start it is told in under a second. CANCELLED, which is nobody's here, is what a gRPC server that stops says to
// calls that reach it before its GOAWAY reaches us. RecognizeStream has its own (it resends only what was unanswered),
// and health is asked once.
constexpr char kServiceConfig[] = R"({"methodConfig": [{
  "name": [{"service": "digit.v1.DigitService", "method": "Recognize"},
           {"service": "digit.v1.DigitService", "method": "ListModels"},
           {"service": "digit.v1.DigitService", "method": "GetModel"},
           {"service": "digit.v1.DigitService", "method": "SubmitFeedback"},
           {"service": "digit.v1.DigitService", "method": "ListFeedback"},
           {"service": "digit.v1.DigitService", "method": "GetModelStats"}],
  "retryPolicy": {"maxAttempts": 4, "initialBackoff": "0.1s", "maxBackoff": "1s", "backoffMultiplier": 2,
                  "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"]}}]})";

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> CreateChannel(const ClientOptions& options, bool own_connection) {
  absl::StatusOr<ServerAddress> address = ParseServerAddress(options.server);
  if (!address.ok()) return address.status();
  grpc::ChannelArguments arguments;
  arguments.SetServiceConfigJSON(kServiceConfig);
  arguments.SetMaxReceiveMessageSize(options.max_response_bytes);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);  // as the retries, else they would not connect again
  // A process with several connections must not find the server back on one and wait for seconds on another: the next
  // attempt falls within the retries.
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, own_connection ? 500 : 5000);
  // A proxy from the environment cannot reach this machine's loopback.
  if (IsLoopback(address->host)) arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  if (address->every_address) {
    arguments.SetLoadBalancingPolicyName("round_robin");
    // gRPC's own 30 s are longer than a rollout may take, after which every address is another.
    arguments.SetInt(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, 1000);
  }
  if (own_connection) arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(options.server, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace digit
