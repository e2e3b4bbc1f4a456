// From trained weights to a model file: calibration, thresholds, accuracy, reference inputs, provenance.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/dataset/idx.h"
#include "model/spec/model_spec.h"
#include "model/training/checkpoint.h"
#include "model/training/data_digest.h"

namespace digit {

// What a data set means to a model; the pictures lie elsewhere.
struct DatasetInfo {
  std::string name;                 // "mnist", in accuracy names
  std::vector<std::string> labels;  // kDigitCnnClasses of them
  Framing framing = Framing::kMnist;
};

// "mnist", "fashion-mnist", or any other name, whose labels are taken to be 0 to 9.
DatasetInfo DatasetInfoOf(absl::string_view name);

struct ModelInputs {
  DatasetInfo dataset;
  RunIdentity identity;
  const LabeledImages* validation = nullptr;  // not owned, not empty
  const LabeledImages* test = nullptr;        // not owned; null: no accuracy on it is given
  int threads = 1;
};

inline constexpr int kReferenceImages = 64;
inline constexpr uint64_t kReferenceSeed = 64;  // of DigitGenerator

// Fits and evaluates everything that model.json says about `parameters` (flat, digit_cnn_step.h), except the reference
// inputs. Seconds of processor time.
ModelSpec DescribeModel(absl::Span<const float> parameters, const ModelInputs& inputs);

// The bytes of the `.pt` file, with LibTorch's logits for the reference inputs. INTERNAL: LibTorch failed.
absl::StatusOr<std::string> MakeModelFile(absl::Span<const float> parameters, ModelSpec spec);

}  // namespace digit
