// How every client of digitd connects. Internal to client/.
#pragma once

#include <grpcpp/channel.h>

#include <memory>

#include "absl/status/statusor.h"
#include "client/lib/client.h"

namespace digit {

// Connects to nothing yet. Retries as Client says, of the methods where that is safe. `own_connection`: channels of one
// process to one server share a connection otherwise, and its lock. INVALID_ARGUMENT: the server's address.
absl::StatusOr<std::shared_ptr<grpc::Channel>> CreateChannel(const ClientOptions& options, bool own_connection = false);

}  // namespace digit
