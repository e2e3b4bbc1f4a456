// The core call: images in, predictions out. Transport-free: gRPC (and later others) are adapters over it.
//
// validate -> bind to a model version -> decode on the decode pool (raw pixels skip it) -> submit to the version's
// queue -> executors run batches -> interpret -> answer. Thread-safe; Recognize() never blocks.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "daemon/pool/inference_task.h"
#include "daemon/registry/model_registry.h"
#include "daemon/serving/decode_pool.h"
#include "model/image/image_framer.h"
#include "model/spec/interpretation.h"

namespace digit {

// One picture of a call; the bytes belong to the caller.
struct ImageInput {
  enum class Kind { kMissing, kEncoded, kPixels };
  Kind kind = Kind::kMissing;
  absl::string_view bytes;
};

struct RecognizeCall {
  std::string model;    // empty: the default
  std::string version;  // empty: the live one
  std::vector<ImageInput> images;
  absl::string_view packed_pixels;  // a multiple of kImagePixels bytes
  bool include_pixels = false;
  bool fails_whole = false;  // for statistics: the caller gets nothing when one picture has an error
  TaskClass task_class;      // priority, and who asks
  SteadyTime deadline = SteadyTime::InfiniteFuture();
  // Set by the transport when the caller goes away; may be null. Shared, because it may outlive the transport's call.
  std::shared_ptr<const std::atomic<bool>> cancelled;
};

enum class ErrorReason { kNone, kNoDigit, kUndecodable, kTooLarge, kOverloaded, kExpired, kInternal };

struct ImageResult {
  Interpretation prediction;  // valid when status is OK
  absl::Status status;
  ErrorReason reason = ErrorReason::kNone;  // of a status that is not OK
  std::string pixels;                       // what the model saw, kImagePixels bytes; empty without include_pixels
};

struct RecognizeTiming {
  absl::Duration decode;  // from entry to the last image framed; zero when nothing was decoded
  absl::Duration queue;   // of the slowest batch
  BatchReport batch;      // the slowest batch
};

struct RecognizeResult {
  ModelHandle model;
  std::vector<ImageResult> images;  // in call order: images, then packed_pixels
  RecognizeTiming timing;
};

class Recognizer {
 public:
  struct Options {
    int max_images_per_call = 1024;
    ImageLimits image_limits;
    const Clock* clock = SteadyClock();  // not owned
  };
  // Runs once, on the caller's, a decode or an executor thread; must not block.
  using Done = std::function<void(absl::StatusOr<RecognizeResult>)>;

  Recognizer(const Options& options, ModelRegistry* registry, DecodePool* decode_pool);  // neither owned

  // The bytes that `call` points to must stay until `done` has run. Errors of the whole call: INVALID_ARGUMENT (no or
  // too many images, packed_pixels of a wrong size), NOT_FOUND, RESOURCE_EXHAUSTED, UNAVAILABLE, DEADLINE_EXCEEDED,
  // CANCELLED, INTERNAL. Errors of single images stand in their results.
  void Recognize(RecognizeCall call, Done done);

  // Images in a call, raw and encoded.
  static int CountImages(const RecognizeCall& call);

 private:
  absl::Status Validate(const RecognizeCall& call) const;

  const Options options_;
  ModelRegistry* const registry_;
  DecodePool* const decode_pool_;
};

}  // namespace digit
