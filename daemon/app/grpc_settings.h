// How gRPC is set up in digitd.
#pragma once

#include "daemon/app/daemon_config.h"
#include "grpcpp/server_builder.h"

namespace digit {

// Bounds on what one connection can ask for.
void LimitServer(const DaemonConfig& config, grpc::ServerBuilder* builder);

// The libraries' own messages go to our log, at debug: what matters to an operator is said by us.
void RouteLibraryLogs();

}  // namespace digit
