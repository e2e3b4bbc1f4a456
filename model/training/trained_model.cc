#include "model/training/trained_model.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/build_info.h"
#include "base/status.h"
#include "model/dataset/digit_generator.h"
#include "model/network/torch_network.h"
#include "model/training/calibration.h"
#include "model/training/evaluation.h"

namespace digit {

DatasetInfo DatasetInfoOf(absl::string_view name) {
  if (name == "fashion-mnist") {
    return DatasetInfo{
        "fashion-mnist",
        {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"},
        Framing::kNone};
  }
  return DatasetInfo{std::string(name), DefaultSpec(kDigitCnnClasses).labels, Framing::kMnist};
}

ModelSpec DescribeModel(absl::Span<const float> parameters, const ModelInputs& inputs) {
  const LabeledImages& validation = *inputs.validation;
  const std::vector<float> logits = ComputeLogits(parameters, validation.pixels, inputs.threads);
  ModelSpec spec;
  spec.architecture = std::string(kDigitCnn);
  spec.labels = inputs.dataset.labels;
  spec.framing = inputs.dataset.framing;
  spec.output = OutputKind::kLogits;
  spec.temperature = FitTemperature(logits, validation.labels);
  const std::vector<float> non_digits =
      ComputeLogits(parameters, DigitGenerator(kNonDigitSeed).DrawManyNonDigits(kNonDigits), inputs.threads);
  spec.thresholds = FitThresholds(logits, validation.labels, spec.temperature, non_digits);
  spec.accuracy.push_back({absl::StrCat(inputs.dataset.name, "/validation"),
                           Evaluate(logits, validation.labels, 1).accuracy(), validation.size()});
  if (inputs.test != nullptr) {
    const std::vector<float> test = ComputeLogits(parameters, inputs.test->pixels, inputs.threads);
    spec.accuracy.push_back({absl::StrCat(inputs.dataset.name, "/test"),
                             Evaluate(test, inputs.test->labels, 1).accuracy(), inputs.test->size()});
  }
  spec.recipe = inputs.identity.recipe;
  spec.seed = inputs.identity.seed;
  spec.data_digest = inputs.identity.data_digest;
  spec.writer = absl::StrCat("digit-train ", Version());
  return spec;
}

absl::StatusOr<std::string> MakeModelFile(absl::Span<const float> parameters, ModelSpec spec) {
  const DigitCnnWeights weights = ToNetwork(parameters);
  DigitGenerator generator(kReferenceSeed);
  spec.reference.pixels = generator.DrawMany(kReferenceImages).pixels;
  ASSIGN_OR_RETURN(spec.reference.logits, TorchLogits(weights, spec.reference.pixels));
  return ToTorchScript(weights, FormatModelSpec(spec));
}

}  // namespace digit
