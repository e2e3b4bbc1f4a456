// HOST:PORT as users write it.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace digit {

struct ServerAddress {
  std::string host;            // without the brackets of an IPv6 address
  int port = 0;                // 1..65535
  bool every_address = false;  // dns:///HOST:PORT: requests go to every address of the name, in turns
};

// "127.0.0.1:50051", "digits.example:50051", "[::1]:50051" or "dns:///digits.example:50051". INVALID_ARGUMENT says what
// is missing, in one line that quotes `text`. Resolves nothing.
absl::StatusOr<ServerAddress> ParseServerAddress(absl::string_view text);

// Every address that the host of `text` has, "10.0.0.1:50051", sorted. INVALID_ARGUMENT as above; UNAVAILABLE: the name
// is not known. Blocks.
absl::StatusOr<std::vector<std::string>> ResolveServers(const std::string& text);

// Whether `host` is this machine by its spelling: localhost, 127.x.x.x or ::1.
bool IsLoopback(absl::string_view host);

}  // namespace digit
