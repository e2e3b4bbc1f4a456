#include "client/gateway/api/message_json.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/json_util.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"

namespace digit {

std::string MessageToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string text;
  // Only an Any of an unknown type can fail, and there is none.
  (void)google::protobuf::util::MessageToJsonString(message, &text, options);
  return text;
}

namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

// Protobuf's own errors for these do not say what there is instead.
absl::Status CheckMembers(const json::object& object, const Descriptor& type) {
  std::map<const google::protobuf::OneofDescriptor*, std::string> chosen;
  for (const auto& [key, value] : object) {
    const std::string name(key);
    const FieldDescriptor* field = type.FindFieldByName(name);
    if (field == nullptr) field = type.FindFieldByCamelcaseName(name);  // protobuf takes both
    if (field == nullptr) {
      std::vector<std::string> known;
      known.reserve(static_cast<size_t>(type.field_count()));
      for (int i = 0; i < type.field_count(); ++i) known.push_back(type.field(i)->name());
      return absl::InvalidArgumentError(
          absl::StrCat("'", name.substr(0, 40), "' is unknown here; known are ", absl::StrJoin(known, ", ")));
    }
    if (const auto* oneof = field->real_containing_oneof(); oneof != nullptr) {
      const auto [found, is_first] = chosen.emplace(oneof, name);
      if (!is_first) {
        return absl::InvalidArgumentError(absl::StrCat("only one of ", found->second, " and ", name, " may be there"));
      }
    }
    if (field->enum_type() == nullptr || !value.is_string()) continue;
    const std::string wanted(value.get_string());
    if (field->enum_type()->FindValueByName(wanted) != nullptr) continue;
    std::vector<std::string> values;
    values.reserve(static_cast<size_t>(field->enum_type()->value_count()));
    for (int i = 1; i < field->enum_type()->value_count(); ++i) values.push_back(field->enum_type()->value(i)->name());
    return absl::InvalidArgumentError(
        absl::StrCat(name, " '", wanted.substr(0, 40), "' is none of ", absl::StrJoin(values, ", ")));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status MessageFromJson(json::object object, google::protobuf::Message* message) {
  json::value* state = object.if_contains("state");
  if (state != nullptr && state->is_string() && !state->get_string().starts_with("FEEDBACK_STATE_")) {
    *state = absl::StrCat("FEEDBACK_STATE_", std::string(state->get_string()));
  }
  RETURN_IF_ERROR(CheckMembers(object, *message->GetDescriptor()));
  const auto status = google::protobuf::util::JsonStringToMessage(json::serialize(object), message);
  if (status.ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the request does not fit ", message->GetDescriptor()->name(), ": ", std::string(status.message())));
}

absl::Status MessageFromJson(absl::string_view text, google::protobuf::Message* message) {
  if (text.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(json::value value, ParseJson(text, "the body", kMaxBodyValues));
  if (!value.is_object()) return absl::InvalidArgumentError("the body must be a JSON object");
  return MessageFromJson(std::move(value.get_object()), message);
}

absl::Status MessageFromQuery(const std::map<std::string, std::string>& query, google::protobuf::Message* message) {
  json::object object;
  for (const auto& [name, value] : query) {
    if (value == "true" || value == "false") {
      object[name] = value == "true";
    } else {
      object[name] = value;
    }
  }
  return MessageFromJson(std::move(object), message);
}

}  // namespace digit
