// The pictures of one training: a data set, corrections, or a mix of both.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "model/dataset/idx.h"

namespace digit {

struct TrainingData {
  TrainValidation train;              // the label kNoDigit (255) marks a picture that is none of the classes
  std::optional<LabeledImages> test;  // of the data set, if it has any
};

struct TrainingDataOptions {
  std::string dataset;      // the data set's name; "none": there is none
  std::string data_dir;     // its folder
  std::string corrections;  // a folder of train-* files with what people have corrected; empty: none
  int batch_images = 1;     // fewer pictures than this are too few
};

// Corrections are few, so each is there many times, and is deformed anew each time. Without a data set they go among
// generated digits, so that what was learned before is not forgotten.
absl::StatusOr<TrainingData> ReadTrainingData(const TrainingDataOptions& options);

// The pictures held out of training: the last 5,000, fewer of a small set.
int ValidationImages(int all_images);

// How often each of `corrections` is there among `images` others: such that they are kCorrectionShare of all, but at
// most kMaxRepeats times, beyond which the network would learn them by heart.
inline constexpr double kCorrectionShare = 0.15;
inline constexpr int kMaxRepeats = 100;
int CorrectionRepeats(int images, int corrections);

}  // namespace digit
