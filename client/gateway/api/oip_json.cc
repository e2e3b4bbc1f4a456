#include "client/gateway/api/oip_json.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "client/gateway/api/message_json.h"
#include "client/gateway/api/picture_body.h"

namespace digit {
namespace {

using inference::InferParameter;
using inference::ModelInferRequest;
using Input = ModelInferRequest::InferInputTensor;
using Parameters = google::protobuf::Map<std::string, InferParameter>;

static_assert(std::endian::native == std::endian::little, "raw tensors are little-endian and copied as they are");

constexpr size_t kLengthBytes = 4;  // before each element of a raw BYTES tensor

template <typename... Parts>
absl::Status Wrong(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

absl::string_view View(json::string_view text) { return {text.data(), text.size()}; }

// A value in an error.
std::string Shown(const json::value& value) {
  constexpr size_t kMaxBytes = 40;
  if (value.is_array()) return "a list";
  if (value.is_object()) return "an object";
  if (value.is_string() && value.get_string().size() > kMaxBytes) return "a long string";
  return json::serialize(value);
}

absl::StatusOr<const json::object*> ObjectOf(const json::value& value, absl::string_view where) {
  if (value.is_object()) return &value.get_object();
  return Wrong(where, " must be an object");
}

// The array `key` of `object`; nullptr: there is none.
absl::StatusOr<const json::array*> ArrayIn(const json::object& object, absl::string_view key, absl::string_view where) {
  const json::value* value = object.if_contains({key.data(), key.size()});
  if (value == nullptr) return nullptr;
  if (value->is_array()) return &value->get_array();
  return Wrong("\"", key, "\" of ", where, " is ", Shown(*value), ", must be a list");
}

// The string `key` of `object`; "" when it is optional and there is none.
absl::StatusOr<std::string> StringIn(const json::object& object, absl::string_view key, absl::string_view where,
                                     bool is_optional = false) {
  const json::value* value = object.if_contains({key.data(), key.size()});
  if (value == nullptr && is_optional) return "";
  if (value == nullptr) return Wrong(where, " has no \"", key, "\"");
  if (value->is_string()) return std::string(View(value->get_string()));
  return Wrong("\"", key, "\" of ", where, " is ", Shown(*value), ", must be a string");
}

// Calls `add(name, value)` for each member of the object's `parameters`.
template <typename Add>
absl::Status ForEachParameter(const json::object& object, absl::string_view where, const Add& add) {
  const json::value* parameters = object.if_contains("parameters");
  if (parameters == nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(const json::object* members, ObjectOf(*parameters, absl::StrCat("\"parameters\" of ", where)));
  for (const auto& [name, value] : *members) RETURN_IF_ERROR(add(View(name), value));
  return absl::OkStatus();
}

absl::Status ReadParameters(const json::object& object, absl::string_view where, Parameters* out) {
  return ForEachParameter(object, where, [&](absl::string_view name, const json::value& value) -> absl::Status {
    InferParameter& parameter = (*out)[std::string(name)];
    if (value.is_bool()) {
      parameter.set_bool_param(value.get_bool());
    } else if (value.is_int64()) {
      parameter.set_int64_param(value.get_int64());
    } else if (value.is_uint64()) {
      parameter.set_uint64_param(value.get_uint64());
    } else if (value.is_double()) {
      parameter.set_double_param(value.get_double());
    } else if (value.is_string()) {
      parameter.set_string_param(std::string(View(value.get_string())));
    } else {
      return Wrong("parameter ", Shown(json::string(name.data(), name.size())), " of ", where, " is ", Shown(value),
                   ", must be true, false, a number or a string");
    }
    return absl::OkStatus();
  });
}

// nullopt: there is no such parameter.
absl::StatusOr<std::optional<bool>> SwitchIn(const Parameters& parameters, const std::string& name,
                                             absl::string_view where) {
  const auto found = parameters.find(name);
  if (found == parameters.end()) return std::optional<bool>();
  if (found->second.has_bool_param()) return std::optional<bool>(found->second.bool_param());
  return Wrong("parameter \"", name, "\" of ", where, " must be true or false");
}

// Calls `add(element)` for each, however deep it lies; the parser has bounded the depth.
template <typename Add>
absl::Status ForEachElement(const json::array& data, const Add& add) {
  for (const json::value& value : data) {
    RETURN_IF_ERROR(value.is_array() ? ForEachElement(value.get_array(), add) : add(value));
  }
  return absl::OkStatus();
}

absl::Status ReadIntegers(const json::array& data, absl::string_view where, inference::InferTensorContents* out) {
  return ForEachElement(data, [&](const json::value& value) -> absl::Status {
    if (!value.is_int64() || value.get_int64() < 0 || value.get_int64() > 255) {
      return Wrong("element ", out->uint_contents_size(), " of ", where, " is ", Shown(value),
                   ", must be an integer from 0 to 255 as the datatype is UINT8");
    }
    out->add_uint_contents(static_cast<uint32_t>(value.get_int64()));
    return absl::OkStatus();
  });
}

absl::Status ReadFloats(const json::array& data, absl::string_view where, inference::InferTensorContents* out) {
  return ForEachElement(data, [&](const json::value& value) -> absl::Status {
    const double number = value.is_number() ? value.to_number<double>() : std::numeric_limits<double>::infinity();
    if (std::abs(number) > std::numeric_limits<float>::max()) {
      return Wrong("element ", out->fp32_contents_size(), " of ", where, " is ", Shown(value),
                   ", must be a number that FP32 can hold");
    }
    out->add_fp32_contents(static_cast<float>(number));
    return absl::OkStatus();
  });
}

absl::Status ReadStrings(const json::array& data, absl::string_view where, bool is_base64,
                         inference::InferTensorContents* out) {
  return ForEachElement(data, [&](const json::value& value) -> absl::Status {
    const std::string what = absl::StrCat("element ", out->bytes_contents_size(), " of ", where);
    if (!value.is_string()) {
      return Wrong(what, " is ", Shown(value), ", must be a string as the datatype is BYTES");
    }
    std::string element(View(value.get_string()));
    if (is_base64) {
      ASSIGN_OR_RETURN(element, DecodePicture(element, what));
    }
    out->add_bytes_contents(std::move(element));
    return absl::OkStatus();
  });
}

absl::Status ReadData(const json::array& data, absl::string_view where, Input* input, InferForm* form) {
  inference::InferTensorContents* contents = input->mutable_contents();
  if (input->datatype() == "UINT8") return ReadIntegers(data, where, contents);
  if (input->datatype() == "FP32") return ReadFloats(data, where, contents);
  if (input->datatype() != "BYTES") return absl::OkStatus();  // digitd says which there are
  const auto content_type = input->parameters().find("content_type");
  const bool is_base64 = content_type != input->parameters().end() && content_type->second.string_param() == "base64";
  form->has_plain_strings = !is_base64;
  return ReadStrings(data, where, is_base64, contents);
}

// An element of BYTES in a raw tensor.
std::string WithLength(absl::string_view element) {
  const auto length = static_cast<uint32_t>(element.size());
  std::string raw(kLengthBytes, '\0');
  std::memcpy(raw.data(), &length, kLengthBytes);
  return raw.append(element.data(), element.size());
}

// What lies behind the JSON and belongs to no input yet.
struct Binary {
  absl::string_view left;
  bool is_there = false;  // the request has the header
};

absl::Status TakeBinary(const InferParameter& size, absl::string_view where, Binary* binary,
                        ModelInferRequest* request) {
  if (!size.has_int64_param() || size.int64_param() < 0) {
    return Wrong("parameter \"binary_data_size\" of ", where, " must be an integer, 0 or above");
  }
  if (static_cast<uint64_t>(size.int64_param()) > binary->left.size()) {
    return Wrong("\"binary_data_size\" of ", where, " is ", size.int64_param(), ", but ", binary->left.size(),
                 " bytes are left of the body",
                 binary->is_there ? "" : ": without Inference-Header-Content-Length all of it is JSON");
  }
  const auto bytes = static_cast<size_t>(size.int64_param());
  request->add_raw_input_contents(std::string(binary->left.substr(0, bytes)));
  binary->left.remove_prefix(bytes);
  return absl::OkStatus();
}

absl::Status ReadInput(const json::value& value, absl::string_view where, bool is_only, Binary* binary,
                       ModelInferRequest* request, InferForm* form) {
  ASSIGN_OR_RETURN(const json::object* object, ObjectOf(value, where));
  Input* input = request->add_inputs();
  ASSIGN_OR_RETURN(*input->mutable_name(), StringIn(*object, "name", where));
  ASSIGN_OR_RETURN(*input->mutable_datatype(), StringIn(*object, "datatype", where));
  ASSIGN_OR_RETURN(const json::array* shape, ArrayIn(*object, "shape", where));
  if (shape == nullptr) return Wrong(where, " has no \"shape\"");
  for (const json::value& dim : *shape) {
    if (!dim.is_int64()) return Wrong("\"shape\" of ", where, " has ", Shown(dim), ", must have integers");
    input->add_shape(dim.get_int64());
  }
  RETURN_IF_ERROR(ReadParameters(*object, where, input->mutable_parameters()));
  ASSIGN_OR_RETURN(const json::array* data, ArrayIn(*object, "data", where));
  const auto size = input->parameters().find("binary_data_size");
  if (size != input->parameters().end()) {
    if (data != nullptr) return Wrong(where, " has both \"data\" and \"binary_data_size\"");
    return TakeBinary(size->second, where, binary, request);
  }
  if (data != nullptr) return ReadData(*data, absl::StrCat("\"data\" of ", where), input, form);
  if (input->parameters().contains("shared_memory_region")) return absl::OkStatus();  // which digitd refuses
  if (!is_only || !binary->is_there) {
    return Wrong(where, " has neither \"data\" nor the parameter \"binary_data_size\"");
  }
  const bool is_element = input->datatype() == "BYTES" && input->shape_size() == 1 && input->shape(0) == 1;
  request->add_raw_input_contents(is_element ? WithLength(binary->left) : std::string(binary->left));
  binary->left = {};
  return absl::OkStatus();
}

absl::Status ReadOutput(const json::value& value, absl::string_view where, ModelInferRequest* request,
                        InferForm* form) {
  ASSIGN_OR_RETURN(const json::object* object, ObjectOf(value, where));
  auto* output = request->add_outputs();
  ASSIGN_OR_RETURN(*output->mutable_name(), StringIn(*object, "name", where));
  RETURN_IF_ERROR(ReadParameters(*object, where, output->mutable_parameters()));
  ASSIGN_OR_RETURN(const std::optional<bool> is_binary, SwitchIn(output->parameters(), "binary_data", where));
  if (is_binary.has_value()) form->outputs[output->name()] = *is_binary;
  return absl::OkStatus();
}

absl::Status ReadRequest(absl::string_view text, Binary binary, ModelInferRequest* request, InferForm* form) {
  constexpr absl::string_view kBody = "the request";
  ASSIGN_OR_RETURN(const json::value value, ParseJson(text, kBody));
  ASSIGN_OR_RETURN(const json::object* object, ObjectOf(value, kBody));
  ASSIGN_OR_RETURN(*request->mutable_id(), StringIn(*object, "id", kBody, /*is_optional=*/true));
  RETURN_IF_ERROR(ReadParameters(*object, kBody, request->mutable_parameters()));
  ASSIGN_OR_RETURN(const std::optional<bool> is_binary, SwitchIn(request->parameters(), "binary_data_output", kBody));
  form->is_binary = is_binary.value_or(false);
  ASSIGN_OR_RETURN(const json::array* inputs, ArrayIn(*object, "inputs", kBody));
  if (inputs == nullptr) return Wrong("the request has no \"inputs\"");
  for (size_t i = 0; i < inputs->size(); ++i) {
    const std::string where = absl::StrCat("inputs[", i, "]");
    RETURN_IF_ERROR(ReadInput((*inputs)[i], where, inputs->size() == 1, &binary, request, form));
  }
  if (!binary.left.empty()) {
    return Wrong("the body has ", binary.left.size(), " bytes behind its JSON that belong to no input");
  }
  ASSIGN_OR_RETURN(const json::array* outputs, ArrayIn(*object, "outputs", kBody));
  if (outputs == nullptr) return absl::OkStatus();
  for (size_t i = 0; i < outputs->size(); ++i) {
    RETURN_IF_ERROR(ReadOutput((*outputs)[i], absl::StrCat("outputs[", i, "]"), request, form));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadInfer(absl::string_view body, absl::string_view json_bytes, ModelInferRequest* request,
                       InferForm* form) {
  if (json_bytes.empty()) return ReadRequest(body, Binary(), request, form);
  uint64_t bytes = 0;
  if (!absl::ascii_isdigit(static_cast<unsigned char>(json_bytes[0])) || !absl::SimpleAtoi(json_bytes, &bytes) ||
      bytes > body.size()) {
    return Wrong("Inference-Header-Content-Length must be an integer from 0 to ", body.size(),
                 ", the size of the body");
  }
  if (bytes > 0) return ReadRequest(body.substr(0, bytes), Binary{body.substr(bytes), true}, request, form);
  if (body.empty()) return Wrong("the body is empty; with Inference-Header-Content-Length: 0 it must be an image file");
  Input* input = request->add_inputs();
  input->set_name("images");
  input->set_datatype("BYTES");
  input->add_shape(1);
  request->add_raw_input_contents(WithLength(body));
  form->is_binary = true;
  return absl::OkStatus();
}

absl::Status ReadRepositoryParameters(
    absl::string_view body, google::protobuf::Map<std::string, inference::ModelRepositoryParameter>* parameters) {
  if (body.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const json::value value, ParseJson(body, "the body", kMaxBodyValues));
  ASSIGN_OR_RETURN(const json::object* object, ObjectOf(value, "the body"));
  return ForEachParameter(*object, "the body", [&](absl::string_view name, const json::value& given) -> absl::Status {
    inference::ModelRepositoryParameter& parameter = (*parameters)[std::string(name)];
    if (given.is_bool()) {
      parameter.set_bool_param(given.get_bool());
    } else if (given.is_int64()) {
      parameter.set_int64_param(given.get_int64());
    } else {
      parameter.set_string_param(given.is_string() ? std::string(View(given.get_string())) : json::serialize(given));
    }
    return absl::OkStatus();
  });
}

}  // namespace digit
