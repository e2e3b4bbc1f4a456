// Gzip data to plain bytes, with a bound.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace digit {

// Whether `bytes` start as a gzip file does.
bool LooksLikeGzip(absl::string_view bytes);

// The content of all members of a gzip file. Uses at most `max_bytes` of output, whatever the file claims.
// INVALID_ARGUMENT names the file by `name`: corrupt, cut short, followed by something else, or larger than
// `max_bytes`.
absl::StatusOr<std::string> Gunzip(absl::string_view bytes, absl::string_view name, int64_t max_bytes);

}  // namespace digit
