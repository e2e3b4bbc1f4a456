#include "daemon/serving/recognition.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace digit {
namespace {

ErrorReason ReasonOf(ImageProblem problem) {
  switch (problem) {
    case ImageProblem::kNone:
      return ErrorReason::kNone;
    case ImageProblem::kUndecodable:
      return ErrorReason::kUndecodable;
    case ImageProblem::kTooLarge:
      return ErrorReason::kTooLarge;
    case ImageProblem::kNoDigit:
      return ErrorReason::kNoDigit;
  }
  return ErrorReason::kInternal;
}

ErrorReason ReasonOf(const absl::Status& chunk_error) {
  switch (chunk_error.code()) {
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnavailable:
      return ErrorReason::kOverloaded;
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
      return ErrorReason::kExpired;
    default:
      return ErrorReason::kInternal;
  }
}

bool IsBlank(const uint8_t* pixels) {
  return std::all_of(pixels, pixels + kImagePixels, [](uint8_t p) { return p == 0; });
}

void SetError(ErrorReason reason, absl::string_view message, ImageResult* result) {
  result->reason = reason;
  result->status = absl::InvalidArgumentError(message);
}

}  // namespace

// Up to max_batch_size images of the call, run together.
class Recognition::ChunkTask : public InferenceTask {
 public:
  ChunkTask(std::shared_ptr<Recognition> recognition, std::vector<int> indices, const RecognizeCall& call)
      : InferenceTask(static_cast<int>(indices.size()), call.deadline, call.task_class),
        recognition_(std::move(recognition)),
        indices_(std::move(indices)) {}

  bool cancelled() const override { return recognition_->IsCancelled(); }
  void PackPixels(uint8_t* destination) const override { recognition_->FillChunk(indices_, destination); }
  void Complete(absl::Span<const float> scores, const BatchReport& report) override {
    recognition_->CompleteChunk(indices_, scores, report, entered());
  }
  void Fail(const absl::Status& status) override { recognition_->FailChunk(indices_, status); }

 private:
  const std::shared_ptr<Recognition> recognition_;
  const std::vector<int> indices_;  // into result_.images
};

Recognition::Recognition(RecognizeCall call, ModelHandle model, const ImageLimits& limits, const Clock* clock,
                         Recognizer::Done done)
    : call_(std::move(call)), limits_(limits), clock_(clock), entered_(clock->Now()), done_(std::move(done)) {
  result_.model = std::move(model);
  result_.images.resize(Recognizer::CountImages(call_));
}

void Recognition::Start(DecodePool* pool) {
  std::vector<std::function<void()>> jobs;
  for (size_t i = 0; i < call_.images.size(); ++i) {
    const ImageInput& image = call_.images[i];
    ImageResult& result = result_.images[i];
    if (image.kind == ImageInput::Kind::kMissing) {
      SetError(ErrorReason::kUndecodable, "the image has neither encoded bytes nor pixels", &result);
    } else if (image.kind == ImageInput::Kind::kPixels && image.bytes.size() != kImagePixels) {
      SetError(ErrorReason::kUndecodable,
               absl::StrCat("pixels has ", image.bytes.size(), " bytes, must be 784 (28x28)"), &result);
    } else if (image.kind == ImageInput::Kind::kEncoded) {
      jobs.push_back([self = shared_from_this(), i] { self->Decode(static_cast<int>(i)); });
    }
  }
  if (jobs.empty()) return Submit();
  framed_.resize(call_.images.size());
  undecoded_ = static_cast<int>(jobs.size());
  absl::Status status = pool->Submit(std::move(jobs));
  if (!status.ok()) Answer(std::move(status));
}

void Recognition::Decode(int image) {
  ImageResult& result = result_.images[image];
  if (IsCancelled() || call_.deadline <= clock_->Now()) {
    result.reason = ErrorReason::kExpired;
    result.status = IsCancelled() ? absl::CancelledError("the caller cancelled the request")
                                  : absl::DeadlineExceededError("the deadline passed before the image was decoded");
  } else {
    const FramedImage framed = FrameImage(call_.images[image].bytes, result_.model->model->spec.framing, limits_);
    if (framed.problem == ImageProblem::kNone) {
      framed_[image] = framed.pixels;
    } else {
      SetError(ReasonOf(framed.problem), framed.message, &result);
    }
  }
  if (undecoded_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  result_.timing.decode = clock_->Now() - entered_;
  Submit();
}

void Recognition::Submit() {
  const int chunk_size = result_.model->placed->max_batch_size();
  std::vector<std::unique_ptr<Task>> tasks;
  std::vector<int> indices;
  const auto cut = [&] {
    tasks.push_back(std::make_unique<ChunkTask>(shared_from_this(), std::move(indices), call_));
    indices.clear();
  };
  absl::Status expired;
  const size_t num_listed = call_.images.size();
  for (int i = 0; i < static_cast<int>(result_.images.size()); ++i) {
    ImageResult& result = result_.images[i];
    if (result.reason == ErrorReason::kExpired) expired = result.status;
    if (!result.status.ok()) continue;
    const bool is_raw = size_t(i) >= num_listed || call_.images[i].kind == ImageInput::Kind::kPixels;
    if (is_raw && IsBlank(PixelsOf(i))) {  // what was framed from a file has ink
      SetError(ErrorReason::kNoDigit, "no digit found: all pixels are 0 (paper)", &result);
      continue;
    }
    if (call_.include_pixels) {
      std::memcpy(result.pixels.data(), PixelsOf(i), kImagePixels);
      result.framed = true;
    }
    indices.push_back(i);
    if (static_cast<int>(indices.size()) == chunk_size) cut();
  }
  if (!indices.empty()) cut();
  if (!expired.ok()) return Answer(std::move(expired));
  if (tasks.empty()) return Answer(absl::OkStatus());
  unfinished_chunks_ = static_cast<int>(tasks.size());
  absl::Status status = result_.model->placed->Submit(absl::MakeSpan(tasks));
  if (!status.ok()) Answer(std::move(status));
}

const uint8_t* Recognition::PixelsOf(int image) const {
  const int listed = static_cast<int>(call_.images.size());
  if (image >= listed) {
    return reinterpret_cast<const uint8_t*>(call_.packed_pixels.data()) + size_t{1} * (image - listed) * kImagePixels;
  }
  const ImageInput& input = call_.images[image];
  return input.kind == ImageInput::Kind::kPixels ? reinterpret_cast<const uint8_t*>(input.bytes.data())
                                                 : framed_[image].data();
}

void Recognition::FillChunk(absl::Span<const int> indices, uint8_t* destination) const {
  for (int image : indices) {
    std::memcpy(destination, PixelsOf(image), kImagePixels);
    destination += kImagePixels;
  }
}

void Recognition::CompleteChunk(absl::Span<const int> indices, absl::Span<const float> scores,
                                const BatchReport& report, SteadyTime entered) {
  const ModelSpec& spec = result_.model->model->spec;
  for (int image : indices) {
    result_.images[image].prediction = Interpret(spec, scores.subspan(0, spec.num_classes()));
    scores.remove_prefix(spec.num_classes());
  }
  {
    MutexLock lock(&mu_);
    RecognizeTiming& timing = result_.timing;
    const absl::Duration queue = report.started - entered;
    if (!any_chunk_ran_ || queue + report.compute > timing.queue + timing.batch.compute) {
      timing.queue = queue;
      timing.batch = report;
    }
    any_chunk_ran_ = true;
  }
  FinishChunk();
}

void Recognition::FailChunk(absl::Span<const int> indices, const absl::Status& status) {
  for (int image : indices) {
    result_.images[image].status = status;
    result_.images[image].reason = ReasonOf(status);
  }
  {
    MutexLock lock(&mu_);
    chunk_error_.Update(status);
  }
  FinishChunk();
}

void Recognition::FinishChunk() {
  if (unfinished_chunks_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  absl::Status status;
  {
    MutexLock lock(&mu_);
    if (!any_chunk_ran_) status = chunk_error_;  // nothing ran: the call fails, not its images one by one
  }
  Answer(std::move(status));
}

void Recognition::Answer(absl::Status status) {
  if (status.ok()) {
    done_(std::move(result_));
  } else {
    done_(std::move(status));
  }
}

}  // namespace digit
