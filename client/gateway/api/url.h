// A request's target in its parts.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace digit {

struct Url {
  std::vector<std::string> segments;         // of the path, decoded: "/v1/models/a%3Ab" is {"v1", "models", "a:b"}
  std::map<std::string, std::string> query;  // decoded

  // The value of a name; empty: it is not there.
  std::string parameter(const std::string& name) const {
    const auto found = query.find(name);
    return found == query.end() ? "" : found->second;
  }
};

// INVALID_ARGUMENT: a % that is not followed by two hex digits, %00, what is not UTF-8, a name twice.
absl::StatusOr<Url> ParseUrl(absl::string_view target);

}  // namespace digit
