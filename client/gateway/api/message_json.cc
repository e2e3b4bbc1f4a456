#include "client/gateway/api/message_json.h"

#include <google/protobuf/util/json_util.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
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

absl::Status MessageFromJson(json::object object, google::protobuf::Message* message) {
  json::value* state = object.if_contains("state");
  if (state != nullptr && state->is_string() && !state->get_string().starts_with("FEEDBACK_STATE_")) {
    *state = absl::StrCat("FEEDBACK_STATE_", std::string(state->get_string()));
  }
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
