// Pictures whose class can be read off, and a server that does so.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/ctl/bench/answer_check.h"
#include "client/ctl/bench/messages.h"
#include "client/ctl/bench/pictures.h"
#include "digit/v1/digit.pb.h"

namespace digit {

inline constexpr int kRawBytes = 784;

// Picture i is full of byte i: it shows an i.
inline BenchPictures PlainPictures(int count) {
  BenchPictures set;
  for (int i = 0; i < count; ++i) set.pictures.push_back({absl::StrCat("picture ", i), std::string(kRawBytes, i), i});
  return set;
}

inline v1::Prediction PredictionOf(int digit) {
  v1::Prediction prediction;
  prediction.set_label(absl::StrCat(digit));
  for (int i = 0; i < 10; ++i) prediction.add_probabilities(i == digit ? 0.91f : 0.01f);
  return prediction;
}

inline v1::RecognizeResponse AnswerTo(const v1::RecognizeRequest& request) {
  v1::RecognizeResponse response;
  for (const v1::Image& image : request.images()) {
    *response.add_results()->mutable_prediction() = PredictionOf(image.pixels()[0]);
  }
  for (size_t at = 0; at < request.packed_pixels().size(); at += kRawBytes) {
    *response.add_results()->mutable_prediction() = PredictionOf(request.packed_pixels()[at]);
  }
  if (request.options().include_timing()) {
    response.mutable_timing()->set_queue_micros(20);
    response.mutable_timing()->set_batch_size(3);
  }
  return response;
}

inline AnswerCheck CheckOf(int count, const std::string& version = "") {
  std::vector<std::string> names;
  std::vector<AloneAnswer> alone;
  for (int i = 0; i < count; ++i) {
    const v1::Prediction prediction = PredictionOf(i);
    names.push_back(absl::StrCat("picture ", i));
    alone.push_back({prediction.label(), {prediction.probabilities().begin(), prediction.probabilities().end()}, 1});
  }
  return AnswerCheck(names, alone, version);
}

inline BenchOptions OptionsOf(BenchMode mode, int images_per_message) {
  BenchOptions options;
  options.mode = mode;
  options.images_per_message = images_per_message;
  options.concurrency = {4};
  options.warmup = absl::Milliseconds(5);
  options.window = absl::Milliseconds(20);
  options.duration = absl::Milliseconds(60);
  return options;
}

}  // namespace digit
