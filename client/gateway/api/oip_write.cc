// Answers of the Open Inference Protocol as its JSON.
#include <charconv>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "client/gateway/api/oip_json.h"

namespace digit {
namespace {

using Output = inference::ModelInferResponse::InferOutputTensor;

std::string Quoted(absl::string_view text) { return json::serialize(json::string_view(text.data(), text.size())); }

absl::Status Broken(const Output& output) {
  return absl::InternalError(
      absl::StrCat("digitd answered with a broken tensor '", output.name(), "' of ", output.datatype()));
}

// The shortest text that means exactly this number.
void AppendNumber(float number, std::string* text) {
  char buffer[32];
  text->append(buffer, std::to_chars(buffer, buffer + sizeof(buffer), number).ptr);
}

void AppendNumber(int32_t number, std::string* text) { absl::StrAppend(text, number); }

template <typename T>
absl::Status AppendNumbers(const Output& output, absl::string_view raw, std::string* text) {
  if (raw.size() % sizeof(T) != 0) return Broken(output);
  for (const char* separator = ""; !raw.empty(); raw.remove_prefix(sizeof(T)), separator = ",") {
    T number;
    std::memcpy(&number, raw.data(), sizeof(T));
    *text += separator;
    AppendNumber(number, text);
  }
  return absl::OkStatus();
}

absl::Status AppendStrings(const Output& output, absl::string_view raw, std::string* text) {
  for (const char* separator = ""; !raw.empty(); separator = ",") {
    uint32_t length = 0;
    if (raw.size() < sizeof(length)) return Broken(output);
    std::memcpy(&length, raw.data(), sizeof(length));
    raw.remove_prefix(sizeof(length));
    if (raw.size() < length) return Broken(output);
    absl::StrAppend(text, separator, Quoted(raw.substr(0, length)));
    raw.remove_prefix(length);
  }
  return absl::OkStatus();
}

absl::Status AppendData(const Output& output, absl::string_view raw, std::string* text) {
  if (output.datatype() == "FP32") return AppendNumbers<float>(output, raw, text);
  if (output.datatype() == "INT32") return AppendNumbers<int32_t>(output, raw, text);
  if (output.datatype() == "BYTES") return AppendStrings(output, raw, text);
  return Broken(output);
}

json::value ValueOf(const google::protobuf::Message& message, const google::protobuf::FieldDescriptor* field,
                    int index) {
  using Field = google::protobuf::FieldDescriptor;
  const google::protobuf::Reflection* of = message.GetReflection();
  const bool many = field->is_repeated();
  switch (field->cpp_type()) {
    case Field::CPPTYPE_BOOL:
      return many ? of->GetRepeatedBool(message, field, index) : of->GetBool(message, field);
    case Field::CPPTYPE_INT32:
      return many ? of->GetRepeatedInt32(message, field, index) : of->GetInt32(message, field);
    case Field::CPPTYPE_INT64:
      return many ? of->GetRepeatedInt64(message, field, index) : of->GetInt64(message, field);
    case Field::CPPTYPE_UINT64:
      return many ? of->GetRepeatedUInt64(message, field, index) : of->GetUInt64(message, field);
    case Field::CPPTYPE_STRING:
      return json::string(many ? of->GetRepeatedString(message, field, index) : of->GetString(message, field));
    case Field::CPPTYPE_ENUM:
      return json::string((many ? of->GetRepeatedEnum(message, field, index) : of->GetEnum(message, field))->name());
    case Field::CPPTYPE_MESSAGE:
      return OipJson(many ? of->GetRepeatedMessage(message, field, index) : of->GetMessage(message, field));
    default:  // other types have no fields in what is shown so
      return nullptr;
  }
}

}  // namespace

absl::StatusOr<InferAnswer> WriteInfer(const inference::ModelInferResponse& response, const InferForm& form) {
  if (response.raw_output_contents_size() != response.outputs_size()) {
    return absl::InternalError(absl::StrCat("digitd answered with ", response.outputs_size(), " outputs and ",
                                            response.raw_output_contents_size(), " raw_output_contents"));
  }
  std::string text = absl::StrCat(R"({"model_name":)", Quoted(response.model_name()), R"(,"model_version":)",
                                  Quoted(response.model_version()));
  if (!response.id().empty()) absl::StrAppend(&text, R"(,"id":)", Quoted(response.id()));
  text += R"(,"outputs":[)";
  std::string tensors;
  InferAnswer answer;
  for (int i = 0; i < response.outputs_size(); ++i) {
    const Output& output = response.outputs(i);
    const std::string& raw = response.raw_output_contents(i);
    absl::StrAppend(&text, i == 0 ? "" : ",", R"({"name":)", Quoted(output.name()), R"(,"datatype":)",
                    Quoted(output.datatype()), R"(,"shape":[)", absl::StrJoin(output.shape(), ","), "]");
    const auto asked = form.outputs.find(output.name());
    if (asked == form.outputs.end() ? form.is_binary : asked->second) {
      absl::StrAppend(&text, R"(,"parameters":{"binary_data_size":)", raw.size(), "}}");
      tensors += raw;
      answer.has_tensors = true;
    } else {
      text += R"(,"data":[)";
      RETURN_IF_ERROR(AppendData(output, raw, &text));
      text += "]}";
    }
  }
  text += "]}";
  answer.json_bytes = text.size();
  answer.body = std::move(text) + tensors;
  return answer;
}

json::value OipJson(const google::protobuf::Message& message) {
  const google::protobuf::Descriptor* type = message.GetDescriptor();
  json::object object;
  for (int i = 0; i < type->field_count(); ++i) {
    const google::protobuf::FieldDescriptor* field = type->field(i);
    if (!field->is_repeated()) {
      object[field->name()] = ValueOf(message, field, 0);
      continue;
    }
    json::array items;
    json::object members;
    for (int k = 0; k < message.GetReflection()->FieldSize(message, field); ++k) {
      json::value item = ValueOf(message, field, k);
      if (field->is_map()) {
        members[item.at("key").as_string()] = item.at("value");
      } else {
        items.push_back(std::move(item));
      }
    }
    if (field->is_map()) {
      object[field->name()] = std::move(members);
    } else {
      object[field->name()] = std::move(items);
    }
  }
  return object;
}

}  // namespace digit
