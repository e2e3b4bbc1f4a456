// Text out of an untrusted file, made fit for one line of an error message.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace digit {

// 'text' in single quotes, at most 80 characters of it, with everything but printable ASCII escaped.
std::string Quoted(absl::string_view text);

}  // namespace digit
