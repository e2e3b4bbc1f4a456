// Whether an address can be listened on, and if not, why.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace digit {

// Binds `host_port` ("127.0.0.1:50051", "[::1]:0", "name:50051") and lets go again: gRPC itself only says that it
// failed. UNAVAILABLE: the host cannot be resolved, is not this machine's, the port is taken or needs root. Blocks
// while a name is looked up. Another process may still be faster than the real bind.
absl::Status CheckListenAddress(const std::string& host_port);

}  // namespace digit
