// From the status of a gRPC call to one that a user can act on. Internal to client/lib; pure but for the context.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace digit {

// Same code; one line that names the server and, where there is one, the remedy. `timeout` is the deadline that held,
// `connected` whether the channel was up at the end (it tells a slow server from one that is not there).
absl::Status ToClientStatus(const grpc::Status& status, const std::string& server, absl::Duration timeout,
                            bool connected);

// When the server asks to be tried again: RESOURCE_EXHAUSTED with the trailer `grpc-retry-pushback-ms` (gRFC A6).
// Nothing for other codes, and for a negative or malformed value, which mean "do not retry".
std::optional<absl::Duration> RetryPushback(const grpc::Status& status, const grpc::ClientContext& context);

}  // namespace digit
