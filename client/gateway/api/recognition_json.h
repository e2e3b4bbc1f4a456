// Answers of Recognize as our REST API and the tutorial's show them.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "digit/v1/digit.pb.h"

namespace digit {

// INTERNAL unless there is a result for each of the pictures, each with a finite prediction or an error.
absl::Status CheckResults(const v1::RecognizeResponse& response, int pictures);

// {"label":"7","confidence":0.998,"probabilities":[...],"verdict":"confident","model":"mnist","version":"..."}, and
// "pixels" (base64) and "timing" when the response has them. The result has a prediction.
std::string OneResultJson(const v1::RecognizeResponse& response, int index = 0);

// {"model":...,"version":...,"results":[...]}: each as above without model and version, or {"error":{problem}}.
std::string ManyResultsJson(const v1::RecognizeResponse& response);

// The tutorial's form: {"digit":7,"confidence":0.998,"probabilities":[...]}; "digit" is a string when the label is no
// number. Several results are a list of these, an error among them is {"error":"..."}.
std::string TutorialJson(const v1::Result& result);
std::string TutorialJson(const v1::RecognizeResponse& response);

// One line for each result: the label, or "?" and why there is none.
std::string PlainText(const v1::RecognizeResponse& response);

}  // namespace digit
