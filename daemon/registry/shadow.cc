#include "daemon/registry/shadow.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "daemon/pool/inference_task.h"

namespace digit {
namespace {

// Longer and a copy would begin to take turns with those that somebody waits for.
constexpr absl::Duration kPatience = absl::Milliseconds(50);

}  // namespace

class Shadow::Copy : public InferenceTask {
 public:
  Copy(std::shared_ptr<Shadow> shadow, std::vector<uint8_t> pixels, std::vector<int> classes,
       absl::Duration live_compute, SteadyTime deadline)
      : InferenceTask(static_cast<int>(classes.size()), deadline, {.priority = Priority::kBulk}),
        shadow_(std::move(shadow)),
        pixels_(std::move(pixels)),
        classes_(std::move(classes)),
        live_compute_(live_compute) {}
  ~Copy() override { shadow_->waiting_ -= num_images(); }

  bool cancelled() const override { return false; }
  void PackPixels(uint8_t* destination) const override { std::memcpy(destination, pixels_.data(), pixels_.size()); }
  void Complete(absl::Span<const float> scores, const BatchReport& report) override {
    shadow_->Count(*this, scores, report.compute * num_images() / report.batch_size);
  }
  void Fail(const absl::Status& status) override {
    const bool no_capacity = absl::IsDeadlineExceeded(status) || absl::IsResourceExhausted(status);
    (no_capacity ? shadow_->skipped_ : shadow_->failed_) += num_images();
  }

 private:
  friend class Shadow;
  const std::shared_ptr<Shadow> shadow_;
  const std::vector<uint8_t> pixels_;
  const std::vector<int> classes_;
  const absl::Duration live_compute_;
};

Shadow::Shadow(double share, ModelHandle candidate, const Clock* clock)
    : share_(share),
      candidate_(std::move(candidate)),
      clock_(clock),
      disagreements_(candidate_->model->spec.labels.size()) {}

int Shadow::Take(int images) {
  const int64_t before = offered_.fetch_add(images, std::memory_order_relaxed);
  const auto copied_until = [this](int64_t n) {
    return static_cast<int64_t>(std::floor(static_cast<double>(n) * share_));
  };
  return static_cast<int>(copied_until(before + images) - copied_until(before));
}

void Shadow::Offer(std::vector<uint8_t> pixels, std::vector<int> classes, absl::Duration live_compute) {
  const int64_t images = static_cast<int64_t>(classes.size());
  PlacedModel& placed = *candidate_->placed;
  const int64_t waiting = waiting_.fetch_add(images);  // the copy takes them back
  auto copy = std::make_unique<Copy>(shared_from_this(), std::move(pixels), std::move(classes), live_compute,
                                     clock_->Now() + kPatience);
  if (waiting + images > placed.max_batch_size() || placed.anything_waits()) {
    skipped_ += images;
    return;
  }
  std::unique_ptr<Task> task = std::move(copy);
  if (!placed.Submit(absl::MakeSpan(&task, 1)).ok()) skipped_ += images;
}

void Shadow::Count(const Copy& copy, absl::Span<const float> scores, absl::Duration compute) {
  const size_t num_classes = disagreements_.size();
  for (const int live : copy.classes_) {
    const absl::Span<const float> row = scores.subspan(0, num_classes);
    const auto candidate = std::max_element(row.begin(), row.end()) - row.begin();
    if (candidate != live) ++disagreements_[live];
    scores.remove_prefix(num_classes);
  }
  live_nanos_ += absl::ToInt64Nanoseconds(copy.live_compute_);
  candidate_nanos_ += absl::ToInt64Nanoseconds(compute);
  images_ += copy.num_images();
}

ShadowCounts Shadow::counts() const {
  ShadowCounts counts{.share = share_,
                      .images = images_,
                      .skipped = skipped_,
                      .failed = failed_,
                      .live_compute = absl::Nanoseconds(live_nanos_.load()),
                      .candidate_compute = absl::Nanoseconds(candidate_nanos_.load())};
  counts.disagreements.assign(disagreements_.begin(), disagreements_.end());
  return counts;
}

}  // namespace digit
