// One line for people out of what an exception of LibTorch says.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace digit {

// The first line of `what` that says something; never empty. LibTorch prints a stack of lines: what TorchScript itself
// reports stands after the last "RuntimeError:", below the source it was running. Where in LibTorch's source it was
// thrown, and that the message may be improved, is left out.
std::string ReasonOf(absl::string_view what);

}  // namespace digit
