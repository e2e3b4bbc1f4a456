// A task of pixels in memory, for pools under test and under measurement.
#pragma once

#include <cstring>
#include <functional>
#include <utility>

#include "daemon/pool/inference_task.h"
#include "model/spec/model_spec.h"

namespace digit {

class TaskOfPixels final : public InferenceTask {
 public:
  using Done = std::function<void(const absl::Status&, absl::Span<const float>, const BatchReport&)>;
  // `pixels` of whole images must live until `done`, which is called once, on any thread.
  TaskOfPixels(absl::Span<const uint8_t> pixels, Done done)
      : InferenceTask(static_cast<int>(pixels.size() / kImagePixels), SteadyTime::InfiniteFuture()),
        pixels_(pixels),
        done_(std::move(done)) {}
  bool cancelled() const override { return false; }
  void PackPixels(uint8_t* destination) const override { std::memcpy(destination, pixels_.data(), pixels_.size()); }
  void Complete(absl::Span<const float> scores, const BatchReport& report) override {
    done_(absl::OkStatus(), scores, report);
  }
  void Fail(const absl::Status& status) override { done_(status, {}, {}); }

 private:
  const absl::Span<const uint8_t> pixels_;
  const Done done_;
};

}  // namespace digit
