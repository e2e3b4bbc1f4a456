// The page's files, as they are built into the program (client/gateway/web/embed.cmake).
#pragma once

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace digit {

struct WebFile {
  absl::string_view name;          // "index.html"
  absl::string_view content_type;  // "text/html; charset=utf-8"
  absl::string_view bytes;
  absl::string_view etag;  // with its quotes; of the bytes
};

// In order of name.
absl::Span<const WebFile> WebFiles();

}  // namespace digit
