// Boost.JSON, compiled once here (it is header-only in our build), with an error that says where and what.
#pragma once

#include <boost/json.hpp>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace digit {

namespace json = boost::json;

// More than any file of ours or a tensor of 1,024 images has. A value takes 16 bytes of memory, but only two of text.
inline constexpr int kMaxJsonValues = 1'000'000;

// INVALID_ARGUMENT with `what` ("model.json of 'mnist.pt'") for text that is no JSON, nested deeper than 32, has more
// values (numbers, texts, lists and so on) than `max_values`, or has a name twice in one object, which two programs
// could read in two ways. The values are counted before any is stored.
absl::StatusOr<json::value> ParseJson(absl::string_view text, absl::string_view what, int max_values = kMaxJsonValues);

}  // namespace digit
