// Boost.JSON, compiled once here (it is header-only in our build), with an error that says where and what.
#pragma once

#include <boost/json.hpp>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace digit {

namespace json = boost::json;

// INVALID_ARGUMENT with `what` ("model.json of 'mnist.pt'") for text that is no JSON, nested deeper than 32, or has a
// name twice in one object, which two programs could read in two ways.
absl::StatusOr<json::value> ParseJson(absl::string_view text, absl::string_view what);

}  // namespace digit
