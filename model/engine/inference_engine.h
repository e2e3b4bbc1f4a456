// The narrow interface between the pool and whatever computes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace digit {

struct Device {
  enum class Kind { kCpu, kCuda };
  Kind kind = Kind::kCpu;
  int index = 0;  // for kCuda: which GPU
  // "cpu" or "cuda:1".
  std::string ToString() const;
};

// What the weights and activations between the layers are kept in.
enum class Precision { kSingle, kHalf };

// One model on one device. Not thread-safe: the executor that owns it calls it from one thread at a time. Construction
// and warm-up may be slow; Infer() allocates nothing after the first call of a batch size.
class InferenceEngine {
 public:
  virtual ~InferenceEngine() = default;

  // `pixels`: n * kImagePixels bytes, row-major, 0 paper ... 255 ink; `scores`: n * num_classes() floats, filled with
  // one row of network outputs (logits, or probabilities when the model ends so) per image; n >= 1.
  // Blocks until done. INTERNAL when the backend fails; the engine is then unusable.
  virtual absl::Status Infer(absl::Span<const uint8_t> pixels, absl::Span<float> scores) = 0;

  // Where the pixels of the next Infer() of so many images may be written to be spared a copy; it then gets this memory
  // as `pixels`. Null: nowhere better than in memory of the caller.
  virtual uint8_t* InputBuffer(int /*images*/) { return nullptr; }

  virtual int num_classes() const = 0;
  virtual absl::string_view name() const = 0;  // "cpu", "torch", "cuda-fp16", "cuda-fp32": for people and metrics
  virtual Precision precision() const { return Precision::kSingle; }
};

struct Model;  // model/engine/model.h

// Makes engines. Thread-safe.
class EngineFactory {
 public:
  virtual ~EngineFactory() = default;
  // FAILED_PRECONDITION when this build or machine lacks what the model needs (names the file and the package);
  // INVALID_ARGUMENT when the model itself is at fault; RESOURCE_EXHAUSTED when the device has not enough memory.
  // `precision`: kHalf is a wish that only some engines grant (the digit network's on a GPU); the engine says what it
  // is.
  virtual absl::StatusOr<std::unique_ptr<InferenceEngine>> Create(const Model& model, const Device& device,
                                                                  Precision precision) = 0;
  absl::StatusOr<std::unique_ptr<InferenceEngine>> Create(const Model& model, const Device& device) {
    return Create(model, device, Precision::kSingle);
  }

  // GPUs that engines can run on, numbered from 0. 0 also where the module for them is missing.
  virtual int CountGpus() { return 0; }
};

}  // namespace digit
