#include "daemon/serving/recognition.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

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

ImageOutcome OutcomeOf(ErrorReason reason) {
  switch (reason) {
    case ErrorReason::kNoDigit:
      return ImageOutcome::kNoDigit;
    case ErrorReason::kUndecodable:
      return ImageOutcome::kUndecodable;
    case ErrorReason::kTooLarge:
      return ImageOutcome::kTooLarge;
    case ErrorReason::kOverloaded:
      return ImageOutcome::kOverloaded;
    case ErrorReason::kExpired:
      return ImageOutcome::kExpired;
    case ErrorReason::kNone:
    case ErrorReason::kInternal:
      break;
  }
  return ImageOutcome::kInternal;
}

ImageOutcome OutcomeOf(Verdict verdict) {
  switch (verdict) {
    case Verdict::kConfident:
      return ImageOutcome::kConfident;
    case Verdict::kUnsure:
      return ImageOutcome::kUnsure;
    case Verdict::kNotADigit:
      return ImageOutcome::kNotADigit;
    case Verdict::kUnspecified:
      break;
  }
  return ImageOutcome::kNone;
}

bool IsBlank(const uint8_t* pixels) {
  return pixels[0] == 0 && std::memcmp(pixels, pixels + 1, kImagePixels - 1) == 0;  // each is as its neighbour
}

void SetError(ErrorReason reason, absl::string_view message, ImageResult* result) {
  result->reason = reason;
  result->status = absl::InvalidArgumentError(message);
}

}  // namespace

// One picture of the call on its way through the decode pool.
class Recognition::PictureTask : public DecodeTask {
 public:
  PictureTask(std::shared_ptr<Recognition> recognition, int image)
      : DecodeTask(recognition->call_.deadline, recognition->call_.task_class),
        recognition_(std::move(recognition)),
        image_(image) {}

  bool cancelled() const override { return recognition_->IsCancelled(); }
  void Run() override { recognition_->Decode(image_); }
  void Fail(const absl::Status& status) override { recognition_->FailDecoding(image_, status); }

 private:
  const std::shared_ptr<Recognition> recognition_;
  const int image_;
};

// Up to max_batch_size images of the call, run together.
class Recognition::ChunkTask : public InferenceTask {
 public:
  ChunkTask(std::shared_ptr<Recognition> recognition, absl::Span<const int> indices)
      : InferenceTask(static_cast<int>(indices.size()), recognition->call_.deadline, recognition->call_.task_class),
        recognition_(std::move(recognition)),
        indices_(indices) {}

  bool cancelled() const override { return recognition_->IsCancelled(); }
  void PackPixels(uint8_t* destination) const override { recognition_->FillChunk(indices_, destination); }
  void Complete(absl::Span<const float> scores, const BatchReport& report) override {
    recognition_->CompleteChunk(indices_, scores, report, entered());
  }
  void Fail(const absl::Status& status) override { recognition_->FailChunk(indices_, status); }

 private:
  const std::shared_ptr<Recognition> recognition_;
  const absl::Span<const int> indices_;  // into recognition_->runnable_
};

Recognition::Recognition(RecognizeCall call, ModelRegistry::Binding bound, const ImageLimits& limits,
                         const Clock* clock, Recognizer::Done done)
    : call_(std::move(call)),
      limits_(limits),
      clock_(clock),
      entered_(clock->Now()),
      shadow_(std::move(bound.shadow)),
      done_(std::move(done)) {
  result_.model = std::move(bound.model);
  result_.images.resize(Recognizer::CountImages(call_));
}

void Recognition::Start(DecodePool* pool) {
  std::vector<int> encoded;
  for (size_t i = 0; i < call_.images.size(); ++i) {
    const ImageInput& image = call_.images[i];
    ImageResult& result = result_.images[i];
    if (image.kind == ImageInput::Kind::kMissing) {
      SetError(ErrorReason::kUndecodable, "the image has neither encoded bytes nor pixels", &result);
    } else if (image.kind == ImageInput::Kind::kPixels && image.bytes.size() != kImagePixels) {
      SetError(ErrorReason::kUndecodable,
               absl::StrCat("pixels has ", image.bytes.size(), " bytes, must be 784 (28x28)"), &result);
    } else if (image.kind == ImageInput::Kind::kEncoded) {
      encoded.push_back(static_cast<int>(i));
    }
  }
  if (encoded.empty()) return Submit();
  absl::Status status = StartDecoding(pool, encoded);
  if (!status.ok()) Answer(std::move(status));
}

absl::Status Recognition::StartDecoding(DecodePool* pool, const std::vector<int>& encoded) {
  // What the engines would refuse is not decoded first.
  RETURN_IF_ERROR(
      result_.model->placed->CheckAdmission(call_.task_class, static_cast<int>(result_.images.size()), call_.deadline));
  framed_.resize(call_.images.size());
  undecoded_ = static_cast<int>(encoded.size());
  constexpr size_t kFew = 32;  // some 0.3 ms, the most that others on this thread wait
  const bool soon = encoded.size() <= kFew && std::all_of(encoded.begin(), encoded.end(), [this](int image) {
                      return IsSoonFramed(call_.images[image].bytes);
                    });
  if (soon) {
    for (int image : encoded) pool->RunHere(PictureTask(shared_from_this(), image));
    return absl::OkStatus();
  }
  std::vector<std::unique_ptr<Task>> tasks;
  tasks.reserve(encoded.size());
  for (int image : encoded) tasks.push_back(std::make_unique<PictureTask>(shared_from_this(), image));
  return pool->Submit(absl::MakeSpan(tasks));
}

void Recognition::Decode(int image) {
  const FramedImage framed = FrameImage(call_.images[image].bytes, result_.model->model->spec.framing, limits_);
  if (framed.problem == ImageProblem::kNone) {
    framed_[image] = framed.pixels;
  } else {
    SetError(ReasonOf(framed.problem), framed.message, &result_.images[image]);
    if (framed.problem == ImageProblem::kNoDigit) result_.model->answers->AddNoDigit();
  }
  FinishDecoding();
}

void Recognition::FailDecoding(int image, const absl::Status& status) {
  {
    MutexLock lock(&mu_);
    decode_error_.Update(status);
  }
  refused_ = true;
  result_.images[image].status = status;
  FinishDecoding();
}

void Recognition::FinishDecoding() {
  if (undecoded_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  absl::Status status;
  {
    MutexLock lock(&mu_);
    status = decode_error_;
  }
  if (!status.ok()) return Answer(std::move(status));
  result_.timing.decode = clock_->Now() - entered_;
  Submit();
}

void Recognition::Submit() {
  runnable_.reserve(result_.images.size());
  const size_t num_listed = call_.images.size();
  for (int i = 0; i < static_cast<int>(result_.images.size()); ++i) {
    ImageResult& result = result_.images[i];
    if (!result.status.ok()) continue;
    const bool is_raw = size_t(i) >= num_listed || call_.images[i].kind == ImageInput::Kind::kPixels;
    if (is_raw && IsBlank(PixelsOf(i))) {  // what was framed from a file has ink
      SetError(ErrorReason::kNoDigit, "no digit found: all pixels are 0 (paper)", &result);
      result_.model->answers->AddNoDigit();
      continue;
    }
    if (call_.include_pixels) result.pixels.assign(reinterpret_cast<const char*>(PixelsOf(i)), kImagePixels);
    runnable_.push_back(i);
  }
  if (runnable_.empty()) return Answer(absl::OkStatus());
  absl::InlinedVector<std::unique_ptr<Task>, 4> tasks;
  const size_t chunk_size = result_.model->placed->max_batch_size();
  for (absl::Span<const int> rest = runnable_; !rest.empty(); rest.remove_prefix(std::min(rest.size(), chunk_size))) {
    tasks.push_back(std::make_unique<ChunkTask>(shared_from_this(), rest.subspan(0, chunk_size)));
  }
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
  {
    AnswerCounters::Chunk counted(result_.model->answers.get(), static_cast<int>(indices.size()));
    for (int image : indices) {
      result_.images[image].prediction = Interpret(spec, scores.subspan(0, spec.num_classes()));
      counted.Add(result_.images[image].prediction);
      scores.remove_prefix(spec.num_classes());
    }
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
  if (shadow_ != nullptr) CopyToShadow(indices, report);
  FinishChunk();
}

// Before the answer, after which the pixels may be gone; what is offered waits for nobody.
void Recognition::CopyToShadow(absl::Span<const int> indices, const BatchReport& report) {
  indices = indices.subspan(0, shadow_->Take(static_cast<int>(indices.size())));
  if (indices.empty()) return;
  std::vector<uint8_t> pixels(indices.size() * kImagePixels);
  FillChunk(indices, pixels.data());
  std::vector<int> classes;
  for (int image : indices) classes.push_back(result_.images[image].prediction.label_index);
  const absl::Duration compute = report.compute * static_cast<double>(indices.size()) / report.batch_size;
  shadow_->Offer(std::move(pixels), std::move(classes), compute);
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
  if (absl::IsResourceExhausted(status)) refused_ = true;
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

void Recognition::CountImages(const absl::Status& status) const {
  const ModelMetrics& metrics = result_.model->placed->metrics();
  if (!status.ok()) {
    return metrics.CountImages(OutcomeOf(ReasonOf(status)), static_cast<int64_t>(result_.images.size()));
  }
  for (const ImageResult& image : result_.images) {
    metrics.CountImages(image.status.ok() ? OutcomeOf(image.prediction.verdict) : OutcomeOf(image.reason), 1);
  }
}

void Recognition::CountRequest(const absl::Status& status) const {
  RequestCounters& requests = *result_.model->requests;
  const SteadyTime now = clock_->Now();
  const bool failed = !status.ok() || (call_.fails_whole && std::any_of(result_.images.begin(), result_.images.end(),
                                                                        [](const auto& i) { return !i.status.ok(); }));
  if (failed) return requests.AddFailed(now - entered_, now);
  requests.AddAnswered(now - entered_, now);
  if (result_.timing.batch.batch_size > 0) requests.AddComputed(result_.timing.queue, result_.timing.batch.compute);
}

void Recognition::Answer(absl::Status status) {
  CountImages(status);
  CountRequest(status);
  if (status.ok()) {
    done_(std::move(result_));
  } else {
    done_(std::move(status));
  }
}

}  // namespace digit
