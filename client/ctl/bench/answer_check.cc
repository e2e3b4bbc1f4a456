#include "client/ctl/bench/answer_check.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

namespace digit {
namespace {

AloneAnswer ToAlone(const v1::Prediction& prediction, const std::vector<std::string>& labels, int label) {
  AloneAnswer alone{prediction.label(), {prediction.probabilities().begin(), prediction.probabilities().end()}};
  if (label >= 0 && label < static_cast<int>(labels.size())) alone.right = alone.label == labels[label] ? 1 : 0;
  return alone;
}

// How far two answers are apart; 1 when they are not of the same classes, or one is no number.
float Distance(const v1::Prediction& prediction, const AloneAnswer& alone) {
  if (prediction.probabilities_size() != static_cast<int>(alone.probabilities.size())) return 1;
  float largest = 0;
  for (int i = 0; i < prediction.probabilities_size(); ++i) {
    const float distance = std::abs(prediction.probabilities(i) - alone.probabilities[i]);
    if (std::isnan(distance)) return 1;
    largest = std::max(largest, distance);
  }
  return largest;
}

}  // namespace

absl::StatusOr<AnswerCheck> AnswerCheck::Ask(Client* client, const std::string& model, const std::string& version,
                                             const std::vector<std::string>& labels, BenchPictures* pictures,
                                             const std::atomic<bool>& stop, std::vector<std::string>* left_out) {
  std::vector<BenchPicture> kept;
  std::vector<std::string> names;
  std::vector<AloneAnswer> alone;
  for (BenchPicture& picture : pictures->pictures) {
    if (stop) return absl::CancelledError("interrupted before the load began");
    v1::RecognizeRequest request;
    request.set_model(model);
    request.set_version(version);
    v1::Image* image = request.add_images();
    pictures->encoded ? image->set_encoded(picture.bytes) : image->set_pixels(picture.bytes);
    const absl::StatusOr<v1::RecognizeResponse> response = client->Recognize(request);
    if (!response.ok()) return response.status();
    if (response->results_size() != 1) return absl::InternalError("the server gave not one result for one picture");
    const v1::Result& result = response->results(0);
    if (!result.has_prediction()) {
      left_out->push_back(absl::StrCat(picture.name, ": ", result.error().message()));
      continue;
    }
    alone.push_back(ToAlone(result.prediction(), labels, picture.label));
    names.push_back(picture.name);
    kept.push_back(std::move(picture));
  }
  pictures->pictures = std::move(kept);
  if (alone.empty()) return absl::InvalidArgumentError("the server recognises none of the pictures");
  return AnswerCheck(std::move(names), std::move(alone), version);
}

CheckedAnswer AnswerCheck::Check(const MessageSet& messages, int m, const v1::RecognizeResponse& response) const {
  CheckedAnswer checked;
  if (response.results_size() != messages.images_per_message()) {
    checked.wrong = true;
    checked.message =
        absl::StrCat(response.results_size(), " results for ", messages.images_per_message(), " pictures");
    return checked;
  }
  const bool same_version = version_.empty() || response.version() == version_;
  for (int i = 0; i < response.results_size(); ++i) {
    const v1::Result& result = response.results(i);
    if (!result.has_prediction()) {
      checked.code = result.error().code() == 0 ? 2 : result.error().code();  // 2: UNKNOWN
      checked.message = result.error().message();
      checked.labelled = checked.right = 0;
      checked.wrong = false;
      return checked;
    }
    const int picture = messages.Picture(m, i);
    const AloneAnswer& alone = alone_[picture];
    const float distance = Distance(result.prediction(), alone);
    const bool same_label = result.prediction().label() == alone.label;
    if (!checked.wrong && (!same_label || (same_version && distance > kProbabilityTolerance))) {
      checked.wrong = true;
      checked.message = absl::StrCat(names_[picture], ": '", result.prediction().label(), "' under load, '",
                                     alone.label, "' alone; probabilities up to ", distance, " apart");
    }
    if (alone.right >= 0) {
      ++checked.labelled;
      checked.right += alone.right == 1 && same_label ? 1 : 0;
    }
  }
  return checked;
}

}  // namespace digit
