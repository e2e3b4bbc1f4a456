// The IDX files of MNIST and its kin, plain or gzip.
// Format: two zero bytes, a type byte (8 = uint8), the number of dimensions, each dimension as big-endian uint32, data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "model/spec/model_spec.h"

namespace digit {

struct LabeledImages {
  std::vector<uint8_t> pixels;  // size() * kImagePixels, 0 paper ... 255 ink
  std::vector<uint8_t> labels;  // size()
  int size() const { return static_cast<int>(labels.size()); }
  absl::Span<const uint8_t> image(int i) const {
    return absl::MakeConstSpan(pixels).subspan(static_cast<size_t>(i) * kImagePixels, kImagePixels);
  }
};

// Parses the bytes of one images file and one labels file. INVALID_ARGUMENT names the file by `images_name` or
// `labels_name` and says what is wrong: bad magic, wrong dimensions, short or long data, counts that differ, bad gzip.
absl::StatusOr<LabeledImages> ParseIdx(absl::string_view images, absl::string_view images_name,
                                       absl::string_view labels, absl::string_view labels_name);

// The inverse: the bytes of an images file and of a labels file, plain.
std::string FormatIdxImages(const LabeledImages& images);
std::string FormatIdxLabels(const LabeledImages& images);

enum class Split { kTrain, kTest };

// Reads train-* or t10k-* from `folder`, each with or without .gz. NOT_FOUND says which names were tried and how to
// fetch them.
absl::StatusOr<LabeledImages> ReadIdxFolder(const std::string& folder, Split split);

// The last `count` images apart from the rest: validation is always the last 5,000 of the training set.
struct TrainValidation {
  LabeledImages train, validation;
};
TrainValidation SplitOffValidation(const LabeledImages& all, int count = 5000);

}  // namespace digit
