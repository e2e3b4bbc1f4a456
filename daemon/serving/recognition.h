// One Recognize call on its way through decoding and batching. Internal to daemon/serving.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "base/mutex.h"
#include "daemon/serving/recognizer.h"

namespace digit {

// Shared by the call's decode jobs and tasks; the last of them answers. Thread-safe as commented.
class Recognition : public std::enable_shared_from_this<Recognition> {
 public:
  Recognition(RecognizeCall call, ModelRegistry::Binding bound, const ImageLimits& limits, const Clock* clock,
              Recognizer::Done done);

  // Decodes on `pool` what must be decoded, then submits. Called once.
  void Start(DecodePool* pool);

 private:
  class PictureTask;
  class ChunkTask;

  absl::Status StartDecoding(DecodePool* pool, const std::vector<int>& encoded);
  void Decode(int image);  // on a decode thread; image writes only its own slot
  void FailDecoding(int image, const absl::Status& status);
  void FinishDecoding();  // the last picture submits
  void Submit();          // after all images are framed; on the thread that framed the last one
  // `indices`: of a chunk's images, in result_.images.
  void FillChunk(absl::Span<const int> indices, uint8_t* destination) const;
  void CompleteChunk(absl::Span<const int> indices, absl::Span<const float> scores, const BatchReport& report,
                     SteadyTime entered);
  void CopyToShadow(absl::Span<const int> indices, const BatchReport& report);
  void FailChunk(absl::Span<const int> indices, const absl::Status& status);
  void FinishChunk();  // the last chunk answers
  void Answer(absl::Status status);
  void CountImages(const absl::Status& status) const;
  void CountRequest(const absl::Status& status) const;
  const uint8_t* PixelsOf(int image) const;  // of an image that has no error
  // The caller has gone, or a part of the call was refused, so that the others would be work for nothing.
  bool IsCancelled() const {
    return refused_.load(std::memory_order_relaxed) ||
           (call_.cancelled != nullptr && call_.cancelled->load(std::memory_order_relaxed));
  }

  const RecognizeCall call_;
  const ImageLimits limits_;
  const Clock* const clock_;
  const SteadyTime entered_;
  const std::shared_ptr<Shadow> shadow_;  // null: nobody gets copies
  Recognizer::Done done_;

  // Each slot is written by the one job or chunk that has its image; read after the last has finished.
  RecognizeResult result_;
  std::vector<std::array<uint8_t, kImagePixels>> framed_;  // by index into call_.images, when any is encoded
  std::vector<int> runnable_;                              // what goes to the engine; chunks are spans of it
  std::atomic<bool> refused_{false};
  std::atomic<int> undecoded_{0};
  std::atomic<int> unfinished_chunks_{0};

  Mutex mu_;
  absl::Status decode_error_ ABSL_GUARDED_BY(mu_);  // the first picture that was not decoded for want of time
  absl::Status chunk_error_ ABSL_GUARDED_BY(mu_);   // the first failure of a chunk
  bool any_chunk_ran_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace digit
