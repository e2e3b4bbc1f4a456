#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "daemon/rpc/oip/tensor_codec.h"

namespace digit {
namespace {

using inference::InferParameter;
using inference::InferTensorContents;
using inference::ModelInferRequest;
using Input = ModelInferRequest::InferInputTensor;
using Parameters = google::protobuf::Map<std::string, InferParameter>;

static_assert(std::endian::native == std::endian::little, "raw tensors are little-endian and copied as they are");

constexpr size_t kLengthBytes = 4;    // before each element of a raw BYTES tensor
constexpr size_t kMaxNameBytes = 64;  // of a caller's word in a message
constexpr int kMaxShownDims = 8;

std::string Quoted(absl::string_view word) { return absl::StrCat("'", word.substr(0, kMaxNameBytes), "'"); }

template <typename... Parts>
absl::Status Wrong(const Input& input, const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("input ", Quoted(input.name()), " ", parts...));
}

// "[2,28,28]"
std::string ShapeOf(const Input& input) {
  std::string text = "[";
  for (int i = 0; i < input.shape_size(); ++i) {
    if (i == kMaxShownDims) {
      absl::StrAppend(&text, ",...");
      break;
    }
    absl::StrAppend(&text, i == 0 ? "" : ",", input.shape(i));
  }
  return text + "]";
}

// The number of images when the shape is [N] followed by one of `tails`.
absl::StatusOr<size_t> CountOf(const Input& input, absl::string_view allowed,
                               const std::vector<std::vector<int64_t>>& tails, int max_images) {
  const auto& shape = input.shape();
  const bool fits = std::any_of(tails.begin(), tails.end(), [&](const std::vector<int64_t>& tail) {
    return !shape.empty() && std::equal(shape.begin() + 1, shape.end(), tail.begin(), tail.end());
  });
  if (!fits || shape[0] < 1 || shape[0] > max_images) {
    return Wrong(input, "has shape ", ShapeOf(input), ", must be ", allowed, " with N from 1 to ", max_images);
  }
  return static_cast<size_t>(shape[0]);
}

// Whether `contents` has exactly `count` elements in `field` and none elsewhere.
absl::Status CheckContents(const Input& input, absl::string_view field, size_t count) {
  const InferTensorContents& contents = input.contents();
  const std::pair<absl::string_view, int> sizes[] = {
      {"bool_contents", contents.bool_contents_size()},     {"int_contents", contents.int_contents_size()},
      {"int64_contents", contents.int64_contents_size()},   {"uint_contents", contents.uint_contents_size()},
      {"uint64_contents", contents.uint64_contents_size()}, {"fp32_contents", contents.fp32_contents_size()},
      {"fp64_contents", contents.fp64_contents_size()},     {"bytes_contents", contents.bytes_contents_size()}};
  int found = 0;
  for (const auto& [name, size] : sizes) {
    if (name == field) found = size;
    if (name == field || size == 0) continue;
    return Wrong(input, "has ", name, ", but elements of ", input.datatype(), " belong in ", field);
  }
  if (static_cast<size_t>(found) == count) return absl::OkStatus();
  return Wrong(input, "has ", found, " elements in ", field, ", but its shape ", ShapeOf(input), " needs ", count);
}

absl::Status CheckRawSize(const Input& input, absl::string_view raw, size_t bytes) {
  if (raw.size() == bytes) return absl::OkStatus();
  return Wrong(input, "has ", raw.size(), " bytes in raw_input_contents, but its shape ", ShapeOf(input), " of ",
               input.datatype(), " needs ", bytes);
}

absl::Status RefuseSharedMemory(absl::string_view what, absl::string_view name, const Parameters& parameters) {
  for (const auto& [key, _] : parameters) {
    if (!absl::StartsWith(key, "shared_memory_")) continue;
    return absl::UnimplementedError(
        absl::StrCat(what, " ", Quoted(name), " has parameter ", Quoted(key), "; shared memory is not supported"));
  }
  return absl::OkStatus();
}

// INVALID_ARGUMENT unless it is an integer; one above int64's becomes its largest.
absl::StatusOr<int64_t> IntegerOf(absl::string_view name, const InferParameter& parameter) {
  if (parameter.has_int64_param()) return parameter.int64_param();
  if (parameter.has_uint64_param()) {
    return static_cast<int64_t>(
        std::min(parameter.uint64_param(), static_cast<uint64_t>(std::numeric_limits<int64_t>::max())));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("parameter '", name, "' must be an integer, in int64_param or uint64_param"));
}

// 0..1 -> 0..255. `at(i)`: element i.
template <typename At>
absl::Status ConvertFloats(const Input& input, size_t count, const At& at, std::vector<uint8_t>* out) {
  out->resize(count);
  bool all_fit = true;
  for (size_t i = 0; i < count; ++i) {
    const float value = at(i);
    const bool fits = value >= 0 && value <= 1;
    all_fit &= fits;
    (*out)[i] = static_cast<uint8_t>((fits ? value : 0) * 255 + 0.5F);
  }
  if (all_fit) return absl::OkStatus();
  size_t bad = 0;
  while (at(bad) >= 0 && at(bad) <= 1) ++bad;
  return Wrong(input, "has the value ", at(bad), " in image ", bad / kImagePixels,
               "; FP32 must be in 0 (paper) to 1 (ink), values in 0..255 go as UINT8");
}

absl::Status ConvertIntegers(const Input& input, std::vector<uint8_t>* out) {
  const auto& values = input.contents().uint_contents();
  out->resize(values.size());
  for (int i = 0; i < values.size(); ++i) {
    if (values[i] > 255) {
      return Wrong(input, "has the value ", values[i], " in image ", i / kImagePixels, "; UINT8 must be in 0..255");
    }
    (*out)[i] = static_cast<uint8_t>(values[i]);
  }
  return absl::OkStatus();
}

// `raw`: absent when the tensor has its own contents.
absl::Status DecodePixels(const Input& input, const std::optional<absl::string_view>& raw, int max_images,
                          InferCall* call) {
  if (input.datatype() != "UINT8" && input.datatype() != "FP32") {
    return Wrong(input, "has datatype ", Quoted(input.datatype()), ", must be UINT8 or FP32");
  }
  ASSIGN_OR_RETURN(const size_t images, CountOf(input, "[N,28,28] or [N,1,28,28]",
                                                {{kImageSide, kImageSide}, {1, kImageSide, kImageSide}}, max_images));
  const size_t count = images * kImagePixels;
  const bool is_float = input.datatype() == "FP32";
  if (raw && !is_float) {
    RETURN_IF_ERROR(CheckRawSize(input, *raw, count));
    call->recognize.packed_pixels = *raw;
    return absl::OkStatus();
  }
  if (raw) {
    RETURN_IF_ERROR(CheckRawSize(input, *raw, count * sizeof(float)));
    const auto at = [raw](size_t i) {
      float value;
      std::memcpy(&value, raw->data() + i * sizeof(float), sizeof(float));
      return value;
    };
    RETURN_IF_ERROR(ConvertFloats(input, count, at, &call->converted));
  } else if (is_float) {
    RETURN_IF_ERROR(CheckContents(input, "fp32_contents", count));
    const float* const values = input.contents().fp32_contents().data();
    RETURN_IF_ERROR(ConvertFloats(
        input, count, [values](size_t i) { return values[i]; }, &call->converted));
  } else {
    RETURN_IF_ERROR(CheckContents(input, "uint_contents", count));
    RETURN_IF_ERROR(ConvertIntegers(input, &call->converted));
  }
  call->recognize.packed_pixels = {reinterpret_cast<const char*>(call->converted.data()), call->converted.size()};
  return absl::OkStatus();
}

absl::Status DecodeRawBytes(const Input& input, absl::string_view raw, size_t count, std::vector<ImageInput>* images) {
  const size_t size = raw.size();
  for (size_t i = 0; i < count; ++i) {
    uint32_t length = 0;
    const bool has_length = raw.size() >= kLengthBytes;
    if (has_length) {
      std::memcpy(&length, raw.data(), kLengthBytes);
      raw.remove_prefix(kLengthBytes);
    }
    if (!has_length || raw.size() < length) {
      return Wrong(input, "ends after ", size, " bytes of raw_input_contents within element ", i,
                   has_length ? absl::StrCat(", which should have ", length, " bytes") : "'s length", "; its shape ",
                   ShapeOf(input), " needs ", count, " elements, each after its length in 4 bytes");
    }
    images->push_back({ImageInput::Kind::kEncoded, raw.substr(0, length)});
    raw.remove_prefix(length);
  }
  if (raw.empty()) return absl::OkStatus();
  return Wrong(input, "has ", raw.size(), " bytes in raw_input_contents beyond the ", count, " elements of its shape");
}

absl::Status DecodeImages(const Input& input, const std::optional<absl::string_view>& raw, int max_images,
                          InferCall* call) {
  if (input.datatype() != "BYTES") {
    return Wrong(input, "has datatype ", Quoted(input.datatype()), ", must be BYTES");
  }
  ASSIGN_OR_RETURN(const size_t count, CountOf(input, "[N]", {{}}, max_images));
  std::vector<ImageInput>& images = call->recognize.images;
  images.reserve(count);
  if (raw) return DecodeRawBytes(input, *raw, count, &images);
  RETURN_IF_ERROR(CheckContents(input, "bytes_contents", count));
  for (const std::string& file : input.contents().bytes_contents()) {
    images.push_back({ImageInput::Kind::kEncoded, file});
  }
  return absl::OkStatus();
}

absl::Status DecodeInput(const ModelInferRequest& request, int max_images, InferCall* call) {
  if (request.inputs_size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("the request has ", request.inputs_size(), " inputs, must have exactly one: pixels or images"));
  }
  const Input& input = request.inputs(0);
  RETURN_IF_ERROR(RefuseSharedMemory("input", input.name(), input.parameters()));
  std::optional<absl::string_view> raw;
  if (request.raw_input_contents_size() > 0) {
    if (request.raw_input_contents_size() != 1) {
      return Wrong(input, "is the only one, but raw_input_contents has ", request.raw_input_contents_size(),
                   " entries, must have one for each input");
    }
    if (input.has_contents()) return Wrong(input, "has contents, which must not be set beside raw_input_contents");
    raw = request.raw_input_contents(0);
  } else if (!input.has_contents()) {
    return Wrong(input, "has no data: set raw_input_contents of the request, or its contents");
  }
  if (input.name() == kPixelsInput) {
    call->form.input = kPixelsInput;
    return DecodePixels(input, raw, max_images, call);
  }
  if (input.name() == kImagesInput) {
    call->form.input = kImagesInput;
    return DecodeImages(input, raw, max_images, call);
  }
  return Wrong(input, "is unknown, must be pixels or images");
}

absl::StatusOr<InferAnswerForm::Output> DecodeOutput(const ModelInferRequest::InferRequestedOutputTensor& asked) {
  RETURN_IF_ERROR(RefuseSharedMemory("output", asked.name(), asked.parameters()));
  InferAnswerForm::Output output;
  int kind = 0;
  while (kind < kNumInferOutputs && asked.name() != NameOf(static_cast<InferOutput>(kind))) ++kind;
  if (kind == kNumInferOutputs) {
    return absl::InvalidArgumentError(
        absl::StrCat("output ", Quoted(asked.name()), " is unknown, must be probabilities, class, label or verdict"));
  }
  output.kind = static_cast<InferOutput>(kind);
  const auto top = asked.parameters().find("classification");
  if (top == asked.parameters().end()) return output;
  if (output.kind != InferOutput::kProbabilities) {
    return absl::InvalidArgumentError(absl::StrCat(
        "output ", Quoted(asked.name()), " has parameter 'classification', which only probabilities may have"));
  }
  ASSIGN_OR_RETURN(output.top, IntegerOf("classification", top->second));
  if (output.top < 1) {
    return absl::InvalidArgumentError(absl::StrCat("parameter 'classification' is ", output.top, ", must be above 0"));
  }
  return output;
}

absl::Status DecodeOutputs(const ModelInferRequest& request, InferAnswerForm* form) {
  bool asked_for[kNumInferOutputs] = {};
  for (const auto& asked : request.outputs()) {
    ASSIGN_OR_RETURN(const InferAnswerForm::Output output, DecodeOutput(asked));
    if (std::exchange(asked_for[static_cast<size_t>(output.kind)], true)) {
      return absl::InvalidArgumentError(absl::StrCat("output ", Quoted(asked.name()), " is asked for twice"));
    }
    form->outputs.push_back(output);
  }
  if (!form->outputs.empty()) return absl::OkStatus();
  for (int i = 0; i < kNumInferOutputs; ++i) form->outputs.push_back({static_cast<InferOutput>(i)});
  return absl::OkStatus();
}

absl::Status DecodeParameters(const Parameters& parameters, InferCall* call) {
  if (const auto timeout = parameters.find("timeout"); timeout != parameters.end()) {
    ASSIGN_OR_RETURN(const int64_t micros, IntegerOf("timeout", timeout->second));
    if (micros < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("parameter 'timeout' is ", micros, " microseconds, must not be below 0"));
    }
    if (micros > 0) call->timeout = absl::Microseconds(micros);
  }
  if (const auto priority = parameters.find("priority"); priority != parameters.end()) {
    ASSIGN_OR_RETURN(const int64_t level, IntegerOf("priority", priority->second));
    if (level >= 2) call->recognize.task_class.priority = Priority::kBulk;
  }
  return absl::OkStatus();
}

}  // namespace

absl::string_view NameOf(InferOutput output) {
  constexpr absl::string_view kNames[kNumInferOutputs] = {"probabilities", "class", "label", "verdict"};
  return kNames[static_cast<size_t>(output)];
}

absl::StatusOr<InferCall> DecodeInfer(const ModelInferRequest& request, int max_images) {
  InferCall call;
  call.recognize.model = request.model_name();
  call.recognize.version = request.model_version();
  call.recognize.fails_whole = true;
  RETURN_IF_ERROR(DecodeParameters(request.parameters(), &call));
  RETURN_IF_ERROR(DecodeOutputs(request, &call.form));
  RETURN_IF_ERROR(DecodeInput(request, max_images, &call));
  return call;
}

}  // namespace digit
