#include "client/gateway/api/recognition_json.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/gateway/api/problem.h"

namespace digit {
namespace {

absl::string_view VerdictJson(v1::Verdict verdict) {
  switch (verdict) {
    case v1::VERDICT_CONFIDENT:
      return R"("confident")";
    case v1::VERDICT_UNSURE:
      return R"("unsure")";
    case v1::VERDICT_NOT_A_DIGIT:
      return R"("not_a_digit")";
    default:
      return "null";
  }
}

void AppendProbabilities(const v1::Prediction& prediction, std::string* text) {
  absl::StrAppend(text, R"("confidence":)", prediction.confidence(), R"(,"probabilities":[)");
  const char* separator = "";
  for (const float probability : prediction.probabilities()) {
    absl::StrAppend(text, separator, probability);
    separator = ",";
  }
  *text += ']';
}

void AppendPrediction(const v1::Result& result, std::string* text) {
  const v1::Prediction& prediction = result.prediction();
  absl::StrAppend(text, R"("label":)", Quoted(prediction.label()), ",");
  AppendProbabilities(prediction, text);
  absl::StrAppend(text, R"(,"verdict":)", VerdictJson(prediction.verdict()));
  if (!result.pixels().empty()) absl::StrAppend(text, R"(,"pixels":")", absl::Base64Escape(result.pixels()), "\"");
}

void AppendTiming(const v1::RecognizeResponse& response, std::string* text) {
  if (!response.has_timing()) return;
  const v1::Timing& timing = response.timing();
  absl::StrAppend(text, R"(,"timing":{"decode_us":)", timing.decode_micros(), R"(,"queue_us":)", timing.queue_micros(),
                  R"(,"compute_us":)", timing.compute_micros(), R"(,"batch_size":)", timing.batch_size(),
                  R"(,"executor":)", Quoted(timing.executor()));
  absl::StrAppend(text, R"(,"engine":)", Quoted(timing.engine()), R"(,"device":)", Quoted(timing.device()), "}");
}

std::string ModelJson(const v1::RecognizeResponse& response) {
  return absl::StrCat(R"("model":)", Quoted(response.model()), R"(,"version":)", Quoted(response.version()));
}

std::string ErrorJson(const v1::ImageError& error) {
  return ProblemJson(HttpStatusOf(error.reason()), error.message(),
                     absl::StatusCodeToString(static_cast<absl::StatusCode>(error.code())), NameOf(error.reason()));
}

bool IsSound(const v1::Result& result) {
  if (!result.has_prediction()) return result.has_error();
  const auto& probabilities = result.prediction().probabilities();
  return std::isfinite(result.prediction().confidence()) &&
         std::all_of(probabilities.begin(), probabilities.end(), [](float p) { return std::isfinite(p); });
}

}  // namespace

absl::Status CheckResults(const v1::RecognizeResponse& response, int pictures) {
  if (response.results_size() != pictures) {
    return absl::InternalError(
        absl::StrCat("digitd answered ", pictures, " pictures with ", response.results_size(), " results"));
  }
  if (std::all_of(response.results().begin(), response.results().end(), IsSound)) return absl::OkStatus();
  return absl::InternalError("digitd answered with a result that has no prediction and no error, or no finite number");
}

std::string OneResultJson(const v1::RecognizeResponse& response, int index) {
  std::string text = "{";
  AppendPrediction(response.results(index), &text);
  absl::StrAppend(&text, ",", ModelJson(response));
  AppendTiming(response, &text);
  return text + "}";
}

std::string ManyResultsJson(const v1::RecognizeResponse& response) {
  std::string text = absl::StrCat("{", ModelJson(response), R"(,"results":[)");
  const char* separator = "";
  for (const v1::Result& result : response.results()) {
    absl::StrAppend(&text, separator, "{");
    if (result.has_prediction()) {
      AppendPrediction(result, &text);
    } else {
      absl::StrAppend(&text, R"("error":)", ErrorJson(result.error()));
    }
    text += '}';
    separator = ",";
  }
  text += ']';
  AppendTiming(response, &text);
  return text + "}";
}

std::string TutorialJson(const v1::Result& result) {
  if (!result.has_prediction()) return absl::StrCat(R"({"error":)", Quoted(result.error().message()), "}");
  const std::string& label = result.prediction().label();
  int number = 0;
  const bool is_number = absl::SimpleAtoi(label, &number) && absl::StrCat(number) == label;
  std::string text = absl::StrCat(R"({"digit":)", is_number ? label : Quoted(label), ",");
  AppendProbabilities(result.prediction(), &text);
  return text + "}";
}

std::string TutorialJson(const v1::RecognizeResponse& response) {
  std::string text = "[";
  const char* separator = "";
  for (const v1::Result& result : response.results()) {
    absl::StrAppend(&text, separator, TutorialJson(result));
    separator = ",";
  }
  return text + "]";
}

std::string PlainText(const v1::RecognizeResponse& response) {
  std::string text;
  for (const v1::Result& result : response.results()) {
    if (result.has_prediction()) {
      absl::StrAppend(&text, result.prediction().label(), "\n");
    } else {
      absl::StrAppend(&text, "? ", result.error().message(), "\n");
    }
  }
  return text;
}

}  // namespace digit
