// absl::Status -> gRPC, the one place.
//
// Codes are equal by value. Messages are cut at 1 KiB and made SafeText(). INTERNAL is a bug: its text goes to the log,
// the caller gets an id to quote. RESOURCE_EXHAUSTED, not UNAVAILABLE, for a full queue: see
// proto/digit/v1/digit.proto.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "grpcpp/support/status.h"

namespace digit {

grpc::Status ToGrpcStatus(const absl::Status& status);

// The trailer that carries a status's RetryAfterOf() in milliseconds; gRPC's own retries heed it.
inline constexpr char kRetryPushback[] = "grpc-retry-pushback-ms";

// The text a caller may see; for errors inside answers. Logs what it hides, once each time.
std::string PublicMessage(const absl::Status& status);

// Whether PublicMessage() hides the status's own text: INTERNAL and UNKNOWN.
bool IsHidden(const absl::Status& status);

}  // namespace digit
