#include "client/gateway/api/server_timing.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace digit {

std::string ServerTiming(absl::Duration took, absl::string_view trailer) {
  std::string header = absl::StrCat("total;dur=", absl::ToDoubleMilliseconds(took));
  for (const absl::string_view field : absl::StrSplit(trailer, ' ', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> pair = absl::StrSplit(field, absl::MaxSplits('=', 1));
    if (pair.first != "decode" && pair.first != "queue" && pair.first != "compute") continue;
    absl::Duration value;
    if (!absl::ParseDuration(std::string(pair.second), &value)) continue;
    absl::StrAppend(&header, ", ", pair.first, ";dur=", absl::ToDoubleMilliseconds(value));
  }
  return header;
}

}  // namespace digit
