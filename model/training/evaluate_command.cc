#include "model/training/evaluate_command.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status.h"
#include "model/dataset/digit_generator.h"
#include "model/dataset/idx.h"
#include "model/spec/interpretation.h"
#include "model/training/calibration.h"
#include "model/training/digit_cnn_step.h"
#include "model/training/evaluation.h"
#include "model/training/network_file.h"
#include "model/training/trained_model.h"

namespace digit {
namespace {

std::string FormatAccuracy(absl::string_view what, const Evaluation& evaluation) {
  return absl::StrFormat("%s: %.2f %% (%d wrong of %d)\n", std::string(what), 100 * evaluation.accuracy(),
                         evaluation.images - evaluation.right, evaluation.images);
}

std::string FormatLabels(const Evaluation& evaluation, const ModelSpec& spec) {
  std::string text = "errors by label:";
  for (int label = 0; label < kDigitCnnClasses; ++label) {
    absl::StrAppend(&text, label == 0 ? " " : ", ", spec.labels[label], ": ", evaluation.errors_of(label), " of ",
                    evaluation.images_of(label));
  }
  return absl::StrCat(text, "\n");
}

// How many rows get each verdict.
struct Verdicts {
  int confident = 0, unsure = 0, not_a_digit = 0;
};

Verdicts CountVerdicts(const ModelSpec& spec, absl::Span<const float> logits) {
  Verdicts verdicts;
  for (size_t i = 0; i < logits.size(); i += kDigitCnnClasses) {
    const Verdict verdict = Interpret(spec, logits.subspan(i, kDigitCnnClasses)).verdict;
    verdicts.confident += verdict == Verdict::kConfident ? 1 : 0;
    verdicts.unsure += verdict == Verdict::kUnsure ? 1 : 0;
    verdicts.not_a_digit += verdict == Verdict::kNotADigit ? 1 : 0;
  }
  return verdicts;
}

std::string FormatVerdicts(const ModelSpec& spec, absl::Span<const float> logits, absl::Span<const uint8_t> labels,
                           absl::Span<const float> non_digits) {
  if (!spec.thresholds.has_value()) return "";
  int confident_wrong = 0;
  for (const Mistake& mistake : Evaluate(logits, labels, spec.temperature).mistakes) {
    const size_t row = static_cast<size_t>(mistake.index) * kDigitCnnClasses;
    const Verdict verdict = Interpret(spec, logits.subspan(row, kDigitCnnClasses)).verdict;
    confident_wrong += verdict == Verdict::kConfident ? 1 : 0;
  }
  std::string text = absl::StrFormat("thresholds: unsure below %.4f, not a digit below energy %.4f\n",
                                     spec.thresholds->unsure_below, spec.thresholds->not_a_digit_below);
  for (const bool of_digits : {true, false}) {
    const Verdicts verdicts = CountVerdicts(spec, of_digits ? logits : non_digits);
    absl::StrAppend(&text, "verdicts on ", of_digits ? "the test pictures" : "new generated non-digits", ": ",
                    verdicts.confident, " confident", of_digits ? absl::StrCat(" (", confident_wrong, " wrong)") : "",
                    ", ", verdicts.unsure, " unsure, ", verdicts.not_a_digit, " not a digit\n");
  }
  return text;
}

// A warning when the file tells its accuracy on other sets only.
std::string OtherDataset(const ModelSpec& spec, const std::string& path, const std::string& dataset) {
  for (const Accuracy& accuracy : spec.accuracy) {
    if (absl::StartsWith(accuracy.set, dataset + "/")) return "";
  }
  if (spec.accuracy.empty()) return "";
  const absl::string_view trained_on = absl::string_view(spec.accuracy[0].set);
  return absl::StrCat("'", path, "' was trained on ", trained_on.substr(0, trained_on.find('/')), ", not on ", dataset,
                      ": these figures say little of it");
}

}  // namespace

absl::StatusOr<EvaluatedModel> EvaluateModelFile(const std::string& path, const std::string& dataset,
                                                 const std::string& data_dir, int threads) {
  ASSIGN_OR_RETURN(const NetworkFile network, ReadNetworkFile(path));
  const ModelSpec& spec = network.spec;
  ASSIGN_OR_RETURN(const LabeledImages test, ReadIdxFolder(data_dir, Split::kTest));
  RETURN_IF_ERROR(CheckDataset(dataset, test));
  const FlatParameters parameters = FromNetwork(network.weights);
  const std::vector<float> logits = ComputeLogits(parameters, test.pixels, threads);
  const Evaluation evaluation = Evaluate(logits, test.labels, spec.temperature);
  std::string text = FormatAccuracy(absl::StrCat(dataset, "/test"), evaluation);
  if (dataset == "mnist") {
    const Evaluation undoubted = Evaluate(logits, test.labels, spec.temperature, DoubtfulMnistTestLabels());
    absl::StrAppend(
        &text, FormatAccuracy(absl::StrCat("with ", evaluation.images - undoubted.images, " doubtful labels set aside"),
                              undoubted));
  }
  absl::StrAppend(&text, FormatLabels(evaluation, spec));
  absl::StrAppend(&text, absl::StrFormat("calibration: temperature %.4f, expected error %.2f %% (%.2f %% without)\n",
                                         spec.temperature, 100 * evaluation.calibration_error,
                                         100 * Evaluate(logits, test.labels, 1).calibration_error));
  const std::vector<float> non_digits =
      ComputeLogits(parameters, DigitGenerator(kFreshNonDigitSeed).DrawManyNonDigits(kNonDigits), threads);
  absl::StrAppend(&text, FormatVerdicts(spec, logits, test.labels, non_digits));
  return EvaluatedModel{std::move(text), OtherDataset(spec, path, dataset)};
}

}  // namespace digit
