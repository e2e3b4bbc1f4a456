#include "model/spec/model_spec.h"

#include <cmath>
#include <cstring>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/status.h"

namespace digit {
namespace {

constexpr absl::string_view kFormat = "digit-model/1";

std::string KeyError(absl::string_view what, absl::string_view key, absl::string_view problem) {
  return absl::StrCat(what, ": '", key, "' ", problem);
}

// Reads typed members of one JSON object and remembers the first problem, so that parsing reads as a list of fields.
class Reader {
 public:
  Reader(const json::object& object, absl::string_view what) : object_(object), what_(what) {}

  const json::value* Find(absl::string_view key) const { return object_.if_contains({key.data(), key.size()}); }
  void Fail(absl::string_view key, absl::string_view problem) {
    if (status_.ok()) status_ = absl::InvalidArgumentError(KeyError(what_, key, problem));
  }
  // Each leaves `out` alone when the key is absent.
  void String(absl::string_view key, std::string* out) {
    const json::value* value = Find(key);
    if (value == nullptr) return;
    if (!value->is_string()) return Fail(key, "must be a string");
    *out = std::string(value->get_string().data(), value->get_string().size());
  }
  void Number(absl::string_view key, double low, double high, double* out) {
    const json::value* value = Find(key);
    if (value == nullptr) return;
    json::error_code error;
    const double number = value->to_number<double>(error);
    if (error) return Fail(key, "must be a number");
    if (!(number >= low && number <= high)) return Fail(key, absl::StrCat("must be in ", low, "..", high));
    *out = number;
  }
  void Integer(absl::string_view key, int64_t* out) {
    const json::value* value = Find(key);
    if (value == nullptr) return;
    json::error_code error;
    const int64_t number = value->to_number<int64_t>(error);
    if (error) return Fail(key, "must be a whole number");
    *out = number;
  }
  const json::array* Array(absl::string_view key) {
    const json::value* value = Find(key);
    if (value == nullptr) return nullptr;
    if (!value->is_array()) Fail(key, "must be an array");
    return value->if_array();
  }
  const json::object* Object(absl::string_view key) {
    const json::value* value = Find(key);
    if (value == nullptr) return nullptr;
    if (!value->is_object()) Fail(key, "must be an object");
    return value->if_object();
  }
  void Absorb(const absl::Status& status) { status_.Update(status); }
  const absl::Status& status() const { return status_; }

 private:
  const json::object& object_;
  const absl::string_view what_;
  absl::Status status_;
};

void ParseLabels(Reader& reader, ModelSpec* spec) {
  const json::array* labels = reader.Array("labels");
  if (labels == nullptr) return reader.Fail("labels", "is missing");
  if (labels->empty() || labels->size() > kMaxClasses) {
    return reader.Fail("labels", absl::StrCat("must have 1..", kMaxClasses, " entries"));
  }
  std::set<std::string> seen;
  for (const json::value& label : *labels) {
    if (!label.is_string() || label.get_string().empty()) return reader.Fail("labels", "must hold non-empty strings");
    spec->labels.emplace_back(label.get_string().data(), label.get_string().size());
    if (!seen.insert(spec->labels.back()).second) {
      return reader.Fail("labels", absl::StrCat("has '", spec->labels.back(), "' twice"));
    }
  }
}

void ParseFraming(Reader& reader, ModelSpec* spec) {
  std::string framing = "mnist";
  reader.String("framing", &framing);
  if (framing != "mnist" && framing != "none") reader.Fail("framing", "must be \"mnist\" or \"none\"");
  spec->framing = framing == "none" ? Framing::kNone : Framing::kMnist;
}

void ParseOutput(Reader& reader, ModelSpec* spec) {
  std::string output = "auto";
  reader.String("output", &output);
  if (output == "logits") {
    spec->output = OutputKind::kLogits;
  } else if (output == "probabilities") {
    spec->output = OutputKind::kProbabilities;
  } else if (output != "auto") {
    reader.Fail("output", "must be \"auto\", \"logits\" or \"probabilities\"");
  }
}

void ParseThresholds(Reader& reader, absl::string_view what, ModelSpec* spec) {
  const json::object* object = reader.Object("thresholds");
  if (object == nullptr) return;
  Reader inner(*object, what);
  Thresholds thresholds;
  inner.Number("unsure_below", 0, 1, &thresholds.unsure_below);
  inner.Number("not_a_digit_below", -1e6, 1e6, &thresholds.not_a_digit_below);
  spec->thresholds = thresholds;
  reader.Absorb(inner.status());
}

void ParseAccuracy(Reader& reader, absl::string_view what, ModelSpec* spec) {
  const json::array* entries = reader.Array("accuracy");
  if (entries == nullptr) return;
  for (const json::value& entry : *entries) {
    if (!entry.is_object()) return reader.Fail("accuracy", "must hold objects");
    Reader inner(entry.get_object(), what);
    Accuracy accuracy;
    int64_t images = 0;
    inner.String("set", &accuracy.set);
    inner.Number("accuracy", 0, 1, &accuracy.accuracy);
    inner.Integer("images", &images);
    if (images < 0 || images > 1'000'000'000) inner.Fail("images", "must be in 0..1000000000");
    accuracy.images = static_cast<int>(images);
    reader.Absorb(inner.status());
    spec->accuracy.push_back(std::move(accuracy));
  }
}

// Reference data is base64: of the input bytes, and of the logits as little-endian float32, so that they survive
// exactly.
void ParseReference(Reader& reader, absl::string_view what, ModelSpec* spec) {
  const json::object* object = reader.Object("reference");
  if (object == nullptr || !reader.status().ok()) return;
  Reader inner(*object, what);
  std::string pixels64, logits64, pixels, logits;
  inner.String("pixels", &pixels64);
  inner.String("logits", &logits64);
  if (!absl::Base64Unescape(pixels64, &pixels)) inner.Fail("pixels", "of 'reference' is not base64");
  if (!absl::Base64Unescape(logits64, &logits)) inner.Fail("logits", "of 'reference' is not base64");
  const size_t images = pixels.size() / kImagePixels;
  if (images * kImagePixels != pixels.size()) inner.Fail("pixels", "of 'reference' is not a multiple of 784 bytes");
  if (logits.size() != images * spec->labels.size() * sizeof(float)) {
    inner.Fail("logits", "of 'reference' does not hold one float32 per image and label");
  }
  reader.Absorb(inner.status());
  if (!reader.status().ok()) return;
  spec->reference.pixels.assign(pixels.begin(), pixels.end());
  spec->reference.logits.resize(logits.size() / sizeof(float));
  if (!logits.empty()) std::memcpy(spec->reference.logits.data(), logits.data(), logits.size());
  for (float logit : spec->reference.logits) {
    if (!std::isfinite(logit)) return reader.Fail("reference", "holds a logit that is not finite");
  }
}

json::string_view View(absl::string_view s) { return {s.data(), s.size()}; }

absl::string_view Bytes(const void* data, size_t size) { return {static_cast<const char*>(data), size}; }

}  // namespace

ModelSpec DefaultSpec(int num_classes) {
  ModelSpec spec;
  for (int i = 0; i < num_classes; ++i) spec.labels.push_back(absl::StrCat(i));
  return spec;
}

absl::StatusOr<ModelSpec> ParseModelSpec(absl::string_view text, absl::string_view what) {
  ASSIGN_OR_RETURN(const json::value value, ParseJson(text, what));
  if (!value.is_object()) return absl::InvalidArgumentError(absl::StrCat(what, " is not a JSON object"));
  Reader reader(value.get_object(), what);
  ModelSpec spec;
  std::string format(kFormat);
  reader.String("format", &format);
  if (format != kFormat) reader.Fail("format", absl::StrCat("is '", format, "', this version reads '", kFormat, "'"));
  reader.String("architecture", &spec.architecture);
  ParseLabels(reader, &spec);
  ParseFraming(reader, &spec);
  ParseOutput(reader, &spec);
  reader.Number("temperature", 1e-3, 1e3, &spec.temperature);
  ParseThresholds(reader, what, &spec);
  ParseAccuracy(reader, what, &spec);
  reader.String("recipe", &spec.recipe);
  reader.Integer("seed", &spec.seed);
  reader.String("data_digest", &spec.data_digest);
  reader.String("writer", &spec.writer);
  ParseReference(reader, what, &spec);
  RETURN_IF_ERROR(reader.status());
  return spec;
}

std::string FormatModelSpec(const ModelSpec& spec) {
  json::object root;
  root["format"] = View(kFormat);
  root["architecture"] = spec.architecture;
  root["labels"] = json::value_from(spec.labels);
  root["input"] = {{"shape", {1, kImageSide, kImageSide}}, {"scale", 1.0 / 255}};
  root["framing"] = spec.framing == Framing::kNone ? "none" : "mnist";
  root["output"] = spec.output == OutputKind::kLogits          ? "logits"
                   : spec.output == OutputKind::kProbabilities ? "probabilities"
                                                               : "auto";
  root["temperature"] = spec.temperature;
  if (spec.thresholds.has_value()) {
    root["thresholds"] = {{"unsure_below", spec.thresholds->unsure_below},
                          {"not_a_digit_below", spec.thresholds->not_a_digit_below}};
  }
  json::array accuracy;
  for (const Accuracy& entry : spec.accuracy) {
    accuracy.push_back({{"set", entry.set}, {"accuracy", entry.accuracy}, {"images", entry.images}});
  }
  root["accuracy"] = std::move(accuracy);
  root["recipe"] = spec.recipe;
  root["seed"] = spec.seed;
  root["data_digest"] = spec.data_digest;
  root["writer"] = spec.writer;
  if (spec.reference.size() > 0) {
    const ReferenceSet& reference = spec.reference;
    root["reference"] = {
        {"pixels", absl::Base64Escape(Bytes(reference.pixels.data(), reference.pixels.size()))},
        {"logits", absl::Base64Escape(Bytes(reference.logits.data(), reference.logits.size() * sizeof(float)))}};
  }
  return json::serialize(root);
}

}  // namespace digit
