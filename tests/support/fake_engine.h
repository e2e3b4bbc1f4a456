// An engine whose answers, failures and pauses a test scripts.
#pragma once

#include <atomic>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "model/engine/inference_engine.h"
#include "model/engine/model.h"
#include "model/spec/model_spec.h"

namespace digit {

// Shared by all engines of one FakeEngineFactory. Thread-safe.
class FakeEngineControl {
 public:
  enum class Behaviour { kAnswer, kFail, kNan };

  void set_behaviour(Behaviour behaviour) {
    MutexLock lock(&mu_);
    behaviour_ = behaviour;
  }
  // The next `n` calls of Infer() fail (with Behaviour::kFail or kNan); then it is as before.
  void FailNext(int n, Behaviour how = Behaviour::kFail) {
    MutexLock lock(&mu_);
    fail_next_ = n;
    fail_how_ = how;
  }
  // The next `n` engines cannot be made.
  void FailNextCreations(int n) {
    MutexLock lock(&mu_);
    fail_creations_ = n;
  }
  // What engines of half precision add to the first score; they are made where they are asked for.
  void set_half_error(float error) {
    MutexLock lock(&mu_);
    half_error_ = error;
  }
  float half_error() const {
    MutexLock lock(&mu_);
    return half_error_;
  }
  // Engines have an input buffer, and count in this what came through it.
  std::atomic<bool> has_input_buffer = false;
  std::atomic<int> images_in_buffer = 0;

  // On which devices engines were made, in order.
  std::vector<std::string> created_on() const {
    MutexLock lock(&mu_);
    return created_on_;
  }
  // While held, Infer() blocks.
  void Hold(bool held) {
    MutexLock lock(&mu_);
    held_ = held;
    changed_.NotifyAll();
  }
  // Blocks until `n` calls of Infer() are held.
  void WaitUntilHeld(int n) {
    MutexLock lock(&mu_);
    while (waiting_ < n) changed_.Wait(&mu_);
  }
  std::vector<int> batch_sizes() const {
    MutexLock lock(&mu_);
    return batch_sizes_;
  }
  void ForgetBatches() {
    MutexLock lock(&mu_);
    batch_sizes_.clear();
  }

 private:
  friend class FakeEngine;
  friend class FakeEngineFactory;
  bool EnterCreate(const Device& device) {
    MutexLock lock(&mu_);
    if (fail_creations_ > 0) {
      --fail_creations_;
      return false;
    }
    created_on_.push_back(device.ToString());
    return true;
  }
  Behaviour Enter(int batch_size) {
    MutexLock lock(&mu_);
    batch_sizes_.push_back(batch_size);
    ++waiting_;
    changed_.NotifyAll();
    while (held_) changed_.Wait(&mu_);
    --waiting_;
    if (fail_next_ > 0) {
      --fail_next_;
      return fail_how_;
    }
    return behaviour_;
  }

  mutable Mutex mu_;
  CondVar changed_;
  Behaviour behaviour_ ABSL_GUARDED_BY(mu_) = Behaviour::kAnswer;
  int fail_next_ ABSL_GUARDED_BY(mu_) = 0;
  Behaviour fail_how_ ABSL_GUARDED_BY(mu_) = Behaviour::kFail;
  int fail_creations_ ABSL_GUARDED_BY(mu_) = 0;
  float half_error_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<std::string> created_on_ ABSL_GUARDED_BY(mu_);
  bool held_ ABSL_GUARDED_BY(mu_) = false;
  int waiting_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<int> batch_sizes_ ABSL_GUARDED_BY(mu_);
};

// Says class c, with logit 10 against 0, for a picture whose first pixel is c (modulo 10).
class FakeEngine : public InferenceEngine {
 public:
  explicit FakeEngine(FakeEngineControl* control, Precision precision = Precision::kSingle)
      : control_(control),
        precision_(precision),
        buffer_(control->has_input_buffer ? size_t{1024} * kImagePixels : 0) {}
  absl::Status Infer(absl::Span<const uint8_t> pixels, absl::Span<float> scores) override {
    const size_t n = pixels.size() / kImagePixels;
    const auto behaviour = control_->Enter(static_cast<int>(n));
    if (behaviour == FakeEngineControl::Behaviour::kFail) return absl::InternalError("scripted failure");
    for (size_t i = 0; i < n; ++i) {
      for (int c = 0; c < 10; ++c) scores[i * 10 + c] = c == pixels[i * kImagePixels] % 10 ? 10.f : 0.f;
    }
    if (precision_ == Precision::kHalf) scores[0] += control_->half_error();
    if (!buffer_.empty() && pixels.data() == buffer_.data()) control_->images_in_buffer += static_cast<int>(n);
    if (behaviour == FakeEngineControl::Behaviour::kNan) scores[0] = std::numeric_limits<float>::quiet_NaN();
    return absl::OkStatus();
  }
  int num_classes() const override { return 10; }
  absl::string_view name() const override { return precision_ == Precision::kHalf ? "fake-half" : "fake"; }
  Precision precision() const override { return precision_; }
  uint8_t* InputBuffer(int) override { return buffer_.empty() ? nullptr : buffer_.data(); }

 private:
  FakeEngineControl* const control_;
  const Precision precision_;
  std::vector<uint8_t> buffer_;
};

class FakeEngineFactory : public EngineFactory {
 public:
  using EngineFactory::Create;
  absl::StatusOr<std::unique_ptr<InferenceEngine>> Create(const Model&, const Device& device,
                                                          Precision precision) override {
    if (!control_.EnterCreate(device)) return absl::InternalError("scripted failure of Create()");
    return std::make_unique<FakeEngine>(&control_, precision);
  }
  FakeEngineControl& control() { return control_; }

 private:
  FakeEngineControl control_;
};

// A model that only a FakeEngine serves.
inline Model FakeModel() {
  Model model;
  model.path = "fake.pt";
  model.sha256 = std::string(64, 'a');
  model.spec = DefaultSpec(10);
  return model;
}

}  // namespace digit
