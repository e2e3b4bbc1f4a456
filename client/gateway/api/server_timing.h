// The header Server-Timing, which browsers show beside a request.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace digit {

// `took` by the gateway in all; `trailer`: the daemon's digit-timing ("decode=0us queue=12us compute=48us ..."), empty:
// none. -> "total;dur=0.9, decode;dur=0.1, queue;dur=0.012, compute;dur=0.048", in milliseconds.
std::string ServerTiming(absl::Duration took, absl::string_view trailer);

}  // namespace digit
