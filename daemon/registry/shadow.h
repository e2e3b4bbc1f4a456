// A candidate that is given copies of requests after the live version has answered them, on spare capacity only.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "daemon/registry/live_model.h"

namespace digit {

// What has been counted so far; digit.v1.Shadow says what each means.
struct ShadowCounts {
  double share = 0;
  int64_t images = 0, skipped = 0, failed = 0;
  std::vector<int64_t> disagreements;              // by the live version's class
  absl::Duration live_compute, candidate_compute;  // sums over `images`
};

// Thread-safe; never blocks.
class Shadow : public std::enable_shared_from_this<Shadow> {
 public:
  // `share` of the images, in 0..1; both versions have the same labels. `clock` is not owned.
  Shadow(double share, ModelHandle candidate, const Clock* clock);

  // How many of the next `images` are to be copied: as many as the share says, evenly.
  int Take(int images);

  // An answer of the live version to take a copy of: pixels of one or more images, the classes that it gave, and the
  // time its engine took for them. Skipped when anything waits for an executor, or enough copies do.
  void Offer(std::vector<uint8_t> pixels, std::vector<int> classes, absl::Duration live_compute);

  const ModelHandle& candidate() const { return candidate_; }
  ShadowCounts counts() const;

 private:
  class Copy;
  void Count(const Copy& copy, absl::Span<const float> scores, absl::Duration compute);

  const double share_;
  const ModelHandle candidate_;
  const Clock* const clock_;
  std::atomic<int64_t> offered_{0};
  std::atomic<int64_t> waiting_{0};  // images of copies that have been submitted
  std::atomic<int64_t> images_{0}, skipped_{0}, failed_{0};
  std::atomic<int64_t> live_nanos_{0}, candidate_nanos_{0};
  std::vector<std::atomic<int64_t>> disagreements_;
};

}  // namespace digit
