#include <algorithm>
#include <bit>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/retry_after.h"
#include "daemon/rpc/oip/tensor_codec.h"

namespace digit {
namespace {

static_assert(std::endian::native == std::endian::little, "raw tensors are little-endian and copied as they are");

absl::string_view NameOf(Verdict verdict) {
  switch (verdict) {
    case Verdict::kUnspecified:
      return "";
    case Verdict::kConfident:
      return "confident";
    case Verdict::kUnsure:
      return "unsure";
    case Verdict::kNotADigit:
      return "not_a_digit";
  }
  return "";
}

void AppendBytes(absl::string_view element, std::string* raw) {
  const auto length = static_cast<uint32_t>(element.size());
  raw->append(reinterpret_cast<const char*>(&length), sizeof(length));  // little-endian
  raw->append(element.data(), element.size());
}

template <typename T>
void AppendRaw(absl::Span<const T> elements, std::string* raw) {
  raw->append(reinterpret_cast<const char*>(elements.data()), elements.size() * sizeof(T));
}

// The `top` most probable classes, "0.998000:7:7"; of equal ones the first.
void AppendTop(const Interpretation& prediction, const ModelSpec& spec, size_t top, std::string* raw) {
  const auto& probabilities = prediction.probabilities;
  std::vector<int> order(probabilities.size());
  std::iota(order.begin(), order.end(), 0);
  std::partial_sort(order.begin(), order.begin() + static_cast<int64_t>(top), order.end(), [&](int a, int b) {
    return probabilities[a] != probabilities[b] ? probabilities[a] > probabilities[b] : a < b;
  });
  for (size_t i = 0; i < top; ++i) {
    AppendBytes(absl::StrFormat("%f:%d:%s", probabilities[order[i]], order[i], spec.labels[order[i]]), raw);
  }
}

// Adds the tensor's head; columns 0: it has one dimension.
std::string* AddOutput(absl::string_view name, absl::string_view datatype, size_t rows, size_t columns,
                       inference::ModelInferResponse* response) {
  auto* const tensor = response->add_outputs();
  tensor->set_name(std::string(name));
  tensor->set_datatype(std::string(datatype));
  tensor->add_shape(static_cast<int64_t>(rows));
  if (columns > 0) tensor->add_shape(static_cast<int64_t>(columns));
  return response->add_raw_output_contents();
}

void EncodeOutput(const RecognizeResult& result, const InferAnswerForm::Output& output,
                  inference::ModelInferResponse* response) {
  const ModelSpec& spec = result.model->model->spec;
  const size_t rows = result.images.size(), classes = spec.labels.size();
  const absl::string_view name = NameOf(output.kind);
  const auto add = [&](absl::string_view datatype, size_t columns, const auto& append) {
    std::string* const raw = AddOutput(name, datatype, rows, columns, response);
    for (const ImageResult& image : result.images) append(image.prediction, raw);
  };
  switch (output.kind) {
    case InferOutput::kProbabilities:
      if (output.top > 0) {
        const size_t top = std::min(static_cast<size_t>(output.top), classes);
        return add("BYTES", top, [&](const auto& image, auto* raw) { AppendTop(image, spec, top, raw); });
      }
      return add("FP32", classes, [](const auto& image, auto* raw) { AppendRaw<float>(image.probabilities, raw); });
    case InferOutput::kClass:
      return add("INT32", 0, [](const auto& image, auto* raw) {
        const auto index = static_cast<int32_t>(image.label_index);
        AppendRaw<int32_t>({&index, 1}, raw);
      });
    case InferOutput::kLabel:
      return add("BYTES", 0, [&](const auto& image, auto* raw) { AppendBytes(spec.labels[image.label_index], raw); });
    case InferOutput::kVerdict:
      return add("BYTES", 0, [](const auto& image, auto* raw) { AppendBytes(NameOf(image.verdict), raw); });
  }
}

}  // namespace

absl::Status EncodeInfer(const RecognizeResult& result, const InferAnswerForm& form, const std::string& id,
                         inference::ModelInferResponse* response) {
  for (size_t i = 0; i < result.images.size(); ++i) {
    const absl::Status& status = result.images[i].status;
    if (status.ok()) continue;
    const absl::Status placed(status.code(), absl::StrCat(form.input, "[", i, "]: ", status.message()));
    const auto retry_after = RetryAfterOf(status);
    return retry_after ? WithRetryAfter(placed, *retry_after) : placed;
  }
  response->set_model_name(result.model->name);
  response->set_model_version(result.model->version);
  response->set_id(id);
  response->mutable_outputs()->Reserve(static_cast<int>(form.outputs.size()));
  for (const InferAnswerForm::Output& output : form.outputs) EncodeOutput(result, output, response);
  return absl::OkStatus();
}

}  // namespace digit
