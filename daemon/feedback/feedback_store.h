// Where corrections are kept. An interface: SQLite stands behind it, other stores may.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "daemon/feedback/correction.h"

namespace digit {

// Pictures to train on.
struct TrainingPictures {
  static constexpr uint8_t kNotADigit = 255;
  std::vector<uint8_t> pixels;  // size() * kCorrectionPixels
  std::vector<uint8_t> labels;  // index of the class, or kNotADigit
  size_t size() const { return labels.size(); }
};

// Thread-safe. Every call blocks on a disk: none from gRPC's threads. What cannot be used (no folder, a damaged file,
// one of a newer program) is FAILED_PRECONDITION and names it; what another process has locked UNAVAILABLE, a full disk
// RESOURCE_EXHAUSTED. After each of these the next call tries anew. What is only read and not there yet is empty.
class FeedbackStore {
 public:
  virtual ~FeedbackStore() = default;

  struct Added {
    StoredCorrection correction;  // without pixels
    bool duplicate = false;       // that source has said so before; the first one stays
  };
  // OK: it is on disk, whatever happens then. What the same source has said of the picture and model before, and nobody
  // has reviewed, is replaced. RESOURCE_EXHAUSTED names the limit and whom it is for.
  virtual absl::StatusOr<Added> Add(const Correction& correction) = 0;

  struct Query {
    std::string model;                     // empty: all
    std::optional<CorrectionState> state;  // absent: all
    int limit = 100;
    int64_t before_id = std::numeric_limits<int64_t>::max();  // only those that are older than this one
    bool with_pixels = false;
  };
  // Newest first.
  virtual absl::StatusOr<std::vector<StoredCorrection>> List(const Query& query) = 0;

  // Decides about what is said in each of `ids` (agreement.h says for whom that holds), all or none; they are returned
  // as they are then, without pixels. NOT_FOUND: one is not there. INVALID_ARGUMENT: two contradict each other and
  // cannot both be accepted.
  virtual absl::StatusOr<std::vector<StoredCorrection>> Review(absl::Span<const int64_t> ids,
                                                               CorrectionState state) = 0;

  struct AnswerCount {
    std::string version, answered, truth;
    int64_t corrections = 0;
  };
  // Of those about `model` that are not rejected and name a version and what it answered.
  virtual absl::StatusOr<std::vector<AnswerCount>> CountAnswers(const std::string& model) = 0;

  // What was accepted about `model`, each picture once, in an order that depends on the pictures alone. `labels`: the
  // model's, at most 255; a truth that is none of them any more is left out.
  virtual absl::StatusOr<TrainingPictures> Accepted(const std::string& model, absl::Span<const std::string> labels) = 0;
};

}  // namespace digit
