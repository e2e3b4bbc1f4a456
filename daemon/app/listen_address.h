// Whether an address can be listened on, and if not, why.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace digit {

enum class IpVersion { kAny, kFour };

// Binds `host_port` ("127.0.0.1:50051", "[::1]:0", "name:50051") and lets go again: the servers themselves only say
// that they failed. UNAVAILABLE: the host cannot be resolved, is not this machine's, the port is taken or needs root.
// `flag`, for the message: what names another address. Blocks while a name is looked up. Another process may still be
// faster than the real bind.
absl::Status CheckListenAddress(const std::string& host_port, absl::string_view flag = "--listen",
                                IpVersion version = IpVersion::kAny);

}  // namespace digit
