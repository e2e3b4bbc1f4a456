// HOST:PORT as users write it.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace digit {

struct ServerAddress {
  std::string host;  // without the brackets of an IPv6 address
  int port = 0;      // 1..65535
};

// "127.0.0.1:50051", "digits.example:50051" or "[::1]:50051". INVALID_ARGUMENT says what is missing, in one line that
// quotes `text`. Resolves nothing.
absl::StatusOr<ServerAddress> ParseServerAddress(absl::string_view text);

// Whether `host` is this machine by its spelling: localhost, 127.x.x.x or ::1.
bool IsLoopback(absl::string_view host);

}  // namespace digit
