#include "base/json.h"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/src.hpp>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace digit {
namespace {

// Counts what is written: the values, and the members of all objects, of which a json::value keeps the last one of each
// name.
struct Counter {
  static constexpr size_t max_object_size = ~size_t{0};
  static constexpr size_t max_array_size = ~size_t{0};
  static constexpr size_t max_key_size = ~size_t{0};
  static constexpr size_t max_string_size = ~size_t{0};
  using Error = json::error_code&;
  using Text = json::string_view;

  bool on_document_begin(Error) { return true; }
  bool on_document_end(Error) { return true; }
  bool on_object_begin(Error error) {
    if (remember_names) open.emplace_back();
    return CountValue(error);
  }
  bool on_object_end(size_t size, Error) {
    members += size;
    if (remember_names) open.pop_back();
    return true;
  }
  bool on_array_begin(Error error) { return CountValue(error); }
  bool on_array_end(size_t, Error) { return true; }
  bool on_key_part(Text part, size_t, Error) {
    if (remember_names) name.append(part.data(), part.size());
    return true;
  }
  bool on_key(Text part, size_t, Error) {
    if (!remember_names) return true;
    name.append(part.data(), part.size());
    if (!open.back().insert(name).second && twice.empty()) twice = name;
    name.clear();
    return true;
  }
  bool on_string_part(Text, size_t, Error) { return true; }
  bool on_string(Text, size_t, Error error) { return CountValue(error); }
  bool on_number_part(Text, Error) { return true; }
  bool on_int64(int64_t, Text, Error error) { return CountValue(error); }
  bool on_uint64(uint64_t, Text, Error error) { return CountValue(error); }
  bool on_double(double, Text, Error error) { return CountValue(error); }
  bool on_bool(bool, Error error) { return CountValue(error); }
  bool on_null(Error error) { return CountValue(error); }
  bool on_comment_part(Text, Error) { return true; }
  bool on_comment(Text, Error) { return true; }

  bool CountValue(Error error) {
    if (++values <= max_values) return true;
    error = json::error::array_too_large;  // what it is called does not matter: `values` says it
    return false;
  }

  size_t max_values = 0;
  size_t values = 0;
  size_t members = 0;

  bool remember_names = false;              // which takes time and memory
  std::vector<std::set<std::string>> open;  // names of the objects that are being read
  std::string name, twice;                  // what is being read of one; the first that was there before
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

absl::StatusOr<json::value> ParseJson(absl::string_view text, absl::string_view what, int max_values) {
  json::error_code error;
  json::basic_parser<Counter> written{json::parse_options()};
  written.handler().max_values = static_cast<size_t>(max_values);
  written.write_some(false, text.data(), text.size(), error);
  if (written.handler().values > written.handler().max_values) {
    return absl::InvalidArgumentError(absl::StrCat(what, " has more than ", max_values, " values"));
  }
  json::value value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error) return absl::InvalidArgumentError(absl::StrCat(what, " is not valid JSON: ", error.message()));
  if (written.handler().members != Members(value)) {
    json::basic_parser<Counter> again{json::parse_options()};
    again.handler().max_values = static_cast<size_t>(max_values);
    again.handler().remember_names = true;
    again.write_some(false, text.data(), text.size(), error);
    return absl::InvalidArgumentError(
        absl::StrCat(what, " has the name '", again.handler().twice.substr(0, 40), "' twice in one object"));
  }
  return value;
}

}  // namespace digit
