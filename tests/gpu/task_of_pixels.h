// Tasks of pixels in memory, for pools under test and under measurement.
#pragma once

#include <cstring>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/pool/inference_task.h"
#include "daemon/pool/placed_model.h"
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

// The scores of `pixels`; `*executor`: who computed them, empty when nobody did. Blocks.
inline absl::StatusOr<std::vector<float>> Ask(PlacedModel& placed, absl::Span<const uint8_t> pixels,
                                              std::string* executor) {
  std::promise<absl::StatusOr<std::vector<float>>> promise;
  std::unique_ptr<Task> task = std::make_unique<TaskOfPixels>(
      pixels, [&](const absl::Status& status, absl::Span<const float> scores, const BatchReport& report) {
        *executor = std::string(report.executor);
        if (!status.ok()) return promise.set_value(status);
        promise.set_value(std::vector<float>(scores.begin(), scores.end()));
      });
  const absl::Status submitted = placed.Submit(absl::MakeSpan(&task, 1));
  if (!submitted.ok()) return submitted;
  return promise.get_future().get();
}

}  // namespace digit
