#include "base/json.h"

#include <boost/json/src.hpp>

#include "absl/strings/str_cat.h"

namespace digit {

absl::StatusOr<json::value> ParseJson(absl::string_view text, absl::string_view what) {
  json::error_code error;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error) return absl::InvalidArgumentError(absl::StrCat(what, " is not valid JSON: ", error.message()));
  return value;
}

}  // namespace digit
