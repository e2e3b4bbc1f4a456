#include "model/training/training_data.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/dataset/digit_generator.h"
#include "model/network/digit_cnn.h"
#include "model/training/data_digest.h"
#include "model/training/digit_cnn_step.h"

namespace digit {
namespace {

constexpr uint64_t kReplaySeed = 4000, kReplayValidationSeed = 4001;  // of DigitGenerator
constexpr int kReplayImages = 10'000, kReplayValidationImages = 2000;

absl::Status CheckLabels(const LabeledImages& images, bool may_be_no_digit, absl::string_view what) {
  for (uint8_t label : images.labels) {
    if (label < kDigitCnnClasses || (may_be_no_digit && label == kNoDigit)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(what, " have the label ", label, ", the network knows 0 to ", kDigitCnnClasses - 1));
  }
  return absl::OkStatus();
}

absl::StatusOr<TrainingData> ReadDataSet(const TrainingDataOptions& options) {
  ASSIGN_OR_RETURN(const LabeledImages all, ReadIdxFolder(options.data_dir, Split::kTrain));
  RETURN_IF_ERROR(CheckLabels(all, false, "training pictures"));
  TrainingData data;
  data.train = SplitOffValidation(all, ValidationImages(all.size()));
  if (data.train.train.size() < options.batch_images || data.train.validation.size() == 0) {
    return absl::InvalidArgumentError(absl::StrCat("'", options.data_dir, "' holds ", all.size(),
                                                   " training pictures, too few for a batch of ", options.batch_images,
                                                   " and validation"));
  }
  absl::StatusOr<LabeledImages> test = ReadIdxFolder(options.data_dir, Split::kTest);
  if (test.ok()) {
    RETURN_IF_ERROR(CheckLabels(*test, false, "test pictures"));
    data.test = *std::move(test);
    RETURN_IF_ERROR(CheckDataset(options.dataset, *data.test));
  } else if (!absl::IsNotFound(test.status())) {
    return test.status();
  } else {
    std::fprintf(stderr, "no test pictures in %s: the model will say nothing of its accuracy on them\n",
                 options.data_dir.c_str());
  }
  return data;
}

}  // namespace

int ValidationImages(int all_images) {
  constexpr int kValidationImages = 5000;
  return std::min(kValidationImages, all_images / 12);  // a twelfth, as 5,000 is of MNIST's 60,000
}

int CorrectionRepeats(int images, int corrections) {
  const double wanted = kCorrectionShare / (1 - kCorrectionShare) * images / corrections;
  return std::clamp(static_cast<int>(std::lround(wanted)), 1, kMaxRepeats);
}

absl::StatusOr<TrainingData> ReadTrainingData(const TrainingDataOptions& options) {
  TrainingData data;
  if (options.dataset == "none") {
    data.train.train = DigitGenerator(kReplaySeed).DrawMany(kReplayImages);
    data.train.validation = DigitGenerator(kReplayValidationSeed).DrawMany(kReplayValidationImages);
  } else {
    ASSIGN_OR_RETURN(data, ReadDataSet(options));
  }
  if (options.corrections.empty()) return data;
  ASSIGN_OR_RETURN(const LabeledImages corrections, ReadIdxFolder(options.corrections, Split::kTrain));
  RETURN_IF_ERROR(CheckLabels(corrections, true, "corrections"));
  if (corrections.size() == 0) {
    return absl::InvalidArgumentError(absl::StrCat("'", options.corrections, "' holds no correction"));
  }
  LabeledImages& train = data.train.train;
  const int repeats = CorrectionRepeats(train.size(), corrections.size());
  for (int i = 0; i < repeats; ++i) {
    train.pixels.insert(train.pixels.end(), corrections.pixels.begin(), corrections.pixels.end());
    train.labels.insert(train.labels.end(), corrections.labels.begin(), corrections.labels.end());
  }
  std::fprintf(stderr, "%d corrections, %d times each\n", corrections.size(), repeats);
  return data;
}

}  // namespace digit
