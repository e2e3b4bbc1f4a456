// What a model file says about itself: labels, input framing, output kind, calibration, thresholds, accuracy,
// provenance and reference inputs. Travels as `model.json` inside the .pt file, or beside it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace digit {

inline constexpr int kImageSide = 28;
inline constexpr int kImagePixels = kImageSide * kImageSide;  // one byte each, row-major, 0 paper ... 255 ink
inline constexpr int kMaxClasses = 1000;
inline constexpr absl::string_view kDigitCnn = "digit-cnn";  // ModelSpec::architecture of our network

// How a picture becomes 28x28: as MNIST was framed (digits), or area-scaled as it is (Fashion-MNIST).
enum class Framing { kMnist, kNone };

// What the network's output rows are. kAuto: rows that are >= 0 and sum to 1 are probabilities, others logits.
enum class OutputKind { kAuto, kLogits, kProbabilities };

// Fitted on validation data plus generated non-digits; source: model/training/calibration.h.
struct Thresholds {
  double unsure_below = 0;       // calibrated confidence in 0..1; below it the verdict is UNSURE
  double not_a_digit_below = 0;  // energy log(sum(exp(logit))) at temperature 1; below it the verdict is NOT_A_DIGIT
};

struct Accuracy {
  std::string set;      // "mnist/test"
  double accuracy = 0;  // 0..1
  int images = 0;
};

// Generated inputs with the logits LibTorch gave for them; every engine is checked against these at load.
struct ReferenceSet {
  std::vector<uint8_t> pixels;  // size() * kImagePixels
  std::vector<float> logits;    // size() * number of classes, row-major
  int size() const { return static_cast<int>(pixels.size() / kImagePixels); }
};

struct ModelSpec {
  std::string architecture;         // kDigitCnn, or empty: whatever the TorchScript does
  std::vector<std::string> labels;  // in the order of the network's outputs; 1..kMaxClasses; distinct, not empty
  Framing framing = Framing::kMnist;
  OutputKind output = OutputKind::kAuto;
  double temperature = 1;                // > 0; probabilities = softmax(logits / temperature)
  std::optional<Thresholds> thresholds;  // absent: the verdict is UNSPECIFIED
  std::vector<Accuracy> accuracy;
  std::string recipe;  // the command line and hyperparameters, for people
  int64_t seed = 0;
  std::string data_digest;  // SHA-256 over the training files, empty when unknown
  std::string writer;       // "digit-train 0.1.0"
  ReferenceSet reference;   // may be empty

  int num_classes() const { return static_cast<int>(labels.size()); }
};

// Labels "0".."C-1", framing mnist, all else default: the spec of a file without model.json.
ModelSpec DefaultSpec(int num_classes);

// INVALID_ARGUMENT names the key that is missing, of the wrong type or out of range; `what` starts the message
// ("model.json in 'mnist.pt'"). Unknown keys are ignored, an unknown `format` is refused.
absl::StatusOr<ModelSpec> ParseModelSpec(absl::string_view text, absl::string_view what);

// The inverse; ParseModelSpec(FormatModelSpec(s)) == s. Floats of the reference logits survive bit for bit.
std::string FormatModelSpec(const ModelSpec& spec);

}  // namespace digit
