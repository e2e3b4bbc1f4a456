// Protobuf messages as JSON: protobuf's own mapping with the fields' own names.
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/json.h"
#include "google/protobuf/message.h"

namespace digit {

inline constexpr int kMaxBodyValues = 10'000;  // of a body in JSON, but for tensors; the largest has 1,024 pictures

// All fields, also those that are empty; enums by name, 64-bit numbers as strings, bytes as base64.
std::string MessageToJson(const google::protobuf::Message& message);

// INVALID_ARGUMENT: `text` is no object, has a field that the message has not, or one of a wrong type. Empty is {}.
// A FeedbackState may lack its prefix: "ACCEPTED".
absl::Status MessageFromJson(absl::string_view text, google::protobuf::Message* message);
absl::Status MessageFromJson(json::object object, google::protobuf::Message* message);

// From a URL's query: page_size=10&include_pixels=true.
absl::Status MessageFromQuery(const std::map<std::string, std::string>& query, google::protobuf::Message* message);

}  // namespace digit
