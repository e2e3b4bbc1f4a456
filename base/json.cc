#include "base/json.h"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/src.hpp>

#include "absl/strings/str_cat.h"

namespace digit {
namespace {

// Counts the members of all objects as they are written; a json::value keeps the last one of each name.
struct MemberCounter {
  static constexpr size_t max_object_size = ~size_t{0};
  static constexpr size_t max_array_size = ~size_t{0};
  static constexpr size_t max_key_size = ~size_t{0};
  static constexpr size_t max_string_size = ~size_t{0};
  using Error = json::error_code&;
  using Text = json::string_view;

  bool on_object_end(size_t size, Error) {
    members += size;
    return true;
  }
  bool on_document_begin(Error) { return true; }
  bool on_document_end(Error) { return true; }
  bool on_object_begin(Error) { return true; }
  bool on_array_begin(Error) { return true; }
  bool on_array_end(size_t, Error) { return true; }
  bool on_key_part(Text, size_t, Error) { return true; }
  bool on_key(Text, size_t, Error) { return true; }
  bool on_string_part(Text, size_t, Error) { return true; }
  bool on_string(Text, size_t, Error) { return true; }
  bool on_number_part(Text, Error) { return true; }
  bool on_int64(int64_t, Text, Error) { return true; }
  bool on_uint64(uint64_t, Text, Error) { return true; }
  bool on_double(double, Text, Error) { return true; }
  bool on_bool(bool, Error) { return true; }
  bool on_null(Error) { return true; }
  bool on_comment_part(Text, Error) { return true; }
  bool on_comment(Text, Error) { return true; }

  size_t members = 0;
};

size_t Members(const json::value& value) {
  size_t members = 0;
  if (value.is_array()) {
    for (const json::value& item : value.get_array()) members += Members(item);
  } else if (value.is_object()) {
    members = value.get_object().size();
    for (const auto& [name, member] : value.get_object()) members += Members(member);
  }
  return members;
}

}  // namespace

absl::StatusOr<json::value> ParseJson(absl::string_view text, absl::string_view what) {
  json::error_code error;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error) return absl::InvalidArgumentError(absl::StrCat(what, " is not valid JSON: ", error.message()));
  json::basic_parser<MemberCounter> written{json::parse_options()};
  written.write_some(false, text.data(), text.size(), error);
  if (written.handler().members != Members(value)) {
    return absl::InvalidArgumentError(absl::StrCat(what, " has a name twice in one object"));
  }
  return value;
}

}  // namespace digit
