// multipart/form-data (RFC 7578), as browsers and curl -F send it.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace digit {

struct FormPart {
  std::string name;         // of the field
  bool is_file = false;     // it has a file name
  absl::string_view bytes;  // into the body
};

// INVALID_ARGUMENT: `content_type` has no usable boundary, a part has no header, the end is missing, more than 1,024
// parts or 8 KiB of a part's header.
absl::StatusOr<std::vector<FormPart>> ParseMultipart(absl::string_view content_type, absl::string_view body);

// The value of a parameter in a header such as `form-data; name="a"; filename=b`; empty: it is not there. `found`, when
// not null, tells the two apart.
std::string HeaderParameter(absl::string_view header, absl::string_view name, bool* found = nullptr);

}  // namespace digit
