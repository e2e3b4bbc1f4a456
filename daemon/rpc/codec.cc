#include "daemon/rpc/codec.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/safe_text.h"
#include "daemon/rpc/status_mapping.h"

namespace digit {
namespace {

constexpr size_t kMaxLoggedName = 64;  // bytes, of a name that no model need have

v1::ErrorReason EncodeReason(ErrorReason reason) {
  switch (reason) {
    case ErrorReason::kNone:
      return v1::ERROR_REASON_UNSPECIFIED;
    case ErrorReason::kNoDigit:
      return v1::ERROR_REASON_NO_DIGIT;
    case ErrorReason::kUndecodable:
      return v1::ERROR_REASON_UNDECODABLE;
    case ErrorReason::kTooLarge:
      return v1::ERROR_REASON_TOO_LARGE;
    case ErrorReason::kOverloaded:
      return v1::ERROR_REASON_OVERLOADED;
    case ErrorReason::kExpired:
      return v1::ERROR_REASON_EXPIRED;
    case ErrorReason::kInternal:
      return v1::ERROR_REASON_INTERNAL;
  }
  return v1::ERROR_REASON_UNSPECIFIED;
}

v1::Verdict EncodeVerdict(Verdict verdict) {
  switch (verdict) {
    case Verdict::kUnspecified:
      return v1::VERDICT_UNSPECIFIED;
    case Verdict::kConfident:
      return v1::VERDICT_CONFIDENT;
    case Verdict::kUnsure:
      return v1::VERDICT_UNSURE;
    case Verdict::kNotADigit:
      return v1::VERDICT_NOT_A_DIGIT;
  }
  return v1::VERDICT_UNSPECIFIED;
}

v1::CutReason EncodeCutReason(CutReason reason) {
  switch (reason) {
    case CutReason::kNone:
      return v1::CUT_REASON_UNSPECIFIED;
    case CutReason::kIdleExecutor:
      return v1::CUT_REASON_IDLE_EXECUTOR;
    case CutReason::kFull:
      return v1::CUT_REASON_FULL;
    case CutReason::kDelay:
      return v1::CUT_REASON_DELAY;
  }
  return v1::CUT_REASON_UNSPECIFIED;
}

// PublicMessage(), but only once for each failure of a call: the images of a chunk share its fate, and one bug should
// be one line of the log with one id.
class ImageMessages {
 public:
  std::string Of(const absl::Status& status) {
    if (!IsHidden(status)) return PublicMessage(status);
    for (const auto& [known, message] : hidden_) {
      if (known == status) return message;
    }
    return hidden_.emplace_back(status, PublicMessage(status)).second;
  }

 private:
  std::vector<std::pair<absl::Status, std::string>> hidden_;  // as many as chunks that failed, at most
};

void EncodeImage(const ImageResult& image, const ModelSpec& spec, ImageMessages* messages, v1::Result* out) {
  if (!image.pixels.empty()) out->set_pixels(image.pixels);
  if (!image.status.ok()) {
    v1::ImageError* error = out->mutable_error();
    error->set_code(static_cast<int>(image.status.code()));
    error->set_reason(EncodeReason(image.reason));
    error->set_message(messages->Of(image.status));
    return;
  }
  v1::Prediction* prediction = out->mutable_prediction();
  prediction->set_label(spec.labels[image.prediction.label_index]);
  prediction->set_confidence(image.prediction.confidence);
  prediction->mutable_probabilities()->Add(image.prediction.probabilities.begin(),
                                           image.prediction.probabilities.end());
  prediction->set_verdict(EncodeVerdict(image.prediction.verdict));
}

void EncodeTiming(const RecognizeTiming& timing, v1::Timing* out) {
  out->set_decode_micros(absl::ToInt64Microseconds(timing.decode));
  out->set_queue_micros(absl::ToInt64Microseconds(timing.queue));
  out->set_compute_micros(absl::ToInt64Microseconds(timing.batch.compute));
  out->set_batch_size(timing.batch.batch_size);
  out->set_cut_reason(EncodeCutReason(timing.batch.reason));
  out->set_executor(timing.batch.executor.data(), timing.batch.executor.size());
  out->set_engine(timing.batch.engine.data(), timing.batch.engine.size());
  out->set_device(timing.batch.device.data(), timing.batch.device.size());
}

// "PRIORITY_UNSPECIFIED (0), PRIORITY_INTERACTIVE (1) or ..."
std::string AllowedPriorities() {
  std::string names;
  for (int value = v1::Priority_MIN; value <= v1::Priority_MAX; ++value) {
    const absl::string_view separator = value == v1::Priority_MIN ? "" : value == v1::Priority_MAX ? " or " : ", ";
    absl::StrAppend(&names, separator, v1::Priority_Name(value), " (", value, ")");
  }
  return names;
}

v1::ModelState EncodeState(ModelState state) {
  switch (state) {
    case ModelState::kLoading:
      return v1::MODEL_STATE_LOADING;
    case ModelState::kCandidate:
      return v1::MODEL_STATE_CANDIDATE;
    case ModelState::kChecking:
      return v1::MODEL_STATE_CHECKING;
    case ModelState::kWarming:
      return v1::MODEL_STATE_WARMING;
    case ModelState::kLive:
      return v1::MODEL_STATE_LIVE;
    case ModelState::kKept:
      return v1::MODEL_STATE_KEPT;
    case ModelState::kDraining:
      return v1::MODEL_STATE_DRAINING;
    case ModelState::kRetired:
      return v1::MODEL_STATE_RETIRED;
    case ModelState::kRefused:
      return v1::MODEL_STATE_REFUSED;
  }
  return v1::MODEL_STATE_UNSPECIFIED;
}

void EncodeShadow(const ShadowCounts& counts, v1::Shadow* shadow) {
  shadow->set_share(counts.share);
  shadow->set_images(counts.images);
  shadow->set_skipped(counts.skipped);
  shadow->set_failed(counts.failed);
  for (int64_t disagreements : counts.disagreements) shadow->add_disagreements(disagreements);
  if (counts.images == 0) return;
  const double images = static_cast<double>(counts.images);
  shadow->set_live_compute_micros(absl::ToDoubleMicroseconds(counts.live_compute) / images);
  shadow->set_candidate_compute_micros(absl::ToDoubleMicroseconds(counts.candidate_compute) / images);
}

// What is known of a version only while it is loaded.
void EncodeLoaded(const LiveModel& model, v1::ModelVersion* version) {
  for (const std::string& label : model.model->spec.labels) version->add_labels(label);
  version->set_engine(std::string(model.placed->engine_name()));
  for (const std::string& executor : model.placed->executor_names()) version->add_executors(executor);
  for (const Accuracy& accuracy : model.model->spec.accuracy) {
    v1::ModelAccuracy* entry = version->add_accuracy();
    entry->set_set(accuracy.set);
    entry->set_accuracy(accuracy.accuracy);
    entry->set_images(accuracy.images);
  }
  version->set_writer(model.model->spec.writer);
  if (version->state() != v1::MODEL_STATE_CANDIDATE) {  // that has been loaded, and not been live
    version->mutable_live_since()->set_seconds(absl::ToUnixSeconds(model.live_since));
  }
  for (const EngineState& state : model.placed->engine_states()) {
    v1::EngineState* engine = version->add_engines();
    engine->set_executor(state.executor);
    engine->set_working(state.working);
    engine->set_failures(state.failures);
    engine->set_last_error(state.last_error);
  }
}

}  // namespace

ImageInput DecodeImage(const v1::Image& image) {
  switch (image.source_case()) {
    case v1::Image::kEncoded:
      return {ImageInput::Kind::kEncoded, image.encoded()};
    case v1::Image::kPixels:
      return {ImageInput::Kind::kPixels, image.pixels()};
    case v1::Image::SOURCE_NOT_SET:
      break;
  }
  return {};
}

absl::StatusOr<RecognizeCall> DecodeRecognize(const v1::RecognizeRequest& request) {
  const int priority = request.options().priority();
  if (!v1::Priority_IsValid(priority)) {
    return absl::InvalidArgumentError(
        absl::StrCat("options.priority is ", priority, ", must be ", AllowedPriorities()));
  }
  RecognizeCall call;
  call.model = request.model();
  call.version = request.version();
  call.images.reserve(request.images_size());
  for (const v1::Image& image : request.images()) call.images.push_back(DecodeImage(image));
  call.packed_pixels = request.packed_pixels();
  call.include_pixels = request.options().include_pixels();
  if (priority == v1::PRIORITY_BULK) call.task_class.priority = Priority::kBulk;
  return call;
}

void EncodeRecognize(const RecognizeResult& result, const v1::RecognizeOptions& options,
                     v1::RecognizeResponse* response) {
  response->set_model(result.model->name);
  response->set_version(result.model->version);
  response->mutable_results()->Reserve(static_cast<int>(result.images.size()));
  ImageMessages messages;
  for (const ImageResult& image : result.images) {
    EncodeImage(image, result.model->model->spec, &messages, response->add_results());
  }
  if (options.include_timing()) EncodeTiming(result.timing, response->mutable_timing());
}

std::string FormatTimingLine(const RecognizeResult& result) {
  const RecognizeTiming& timing = result.timing;
  return absl::StrCat(
      "decode=", absl::ToInt64Microseconds(timing.decode), "us queue=", absl::ToInt64Microseconds(timing.queue),
      "us compute=", absl::ToInt64Microseconds(timing.batch.compute), "us batch=", timing.batch.batch_size,
      " cut=", NameOf(timing.batch.reason), " executor=", timing.batch.executor, " device=", timing.batch.device,
      " engine=", timing.batch.engine, " model=", result.model->name, "/", result.model->version);
}

AnsweredCall AnsweredCallOf(absl::string_view method, const v1::RecognizeRequest& request, CallOrigin origin,
                            absl::Duration took) {
  const size_t images = request.images_size() + request.packed_pixels().size() / kImagePixels;
  return {method, request.model(), request.version(), images, std::move(origin), took};
}

std::string FormatAccessLine(const AnsweredCall& call, const absl::StatusOr<RecognizeResult>& result,
                             absl::string_view message) {
  std::string line =
      FormatLogLine("call", {{"method", call.method},
                             {"code", result.ok() ? "OK" : absl::StatusCodeToString(result.status().code())},
                             {"images", call.images},
                             {"peer", call.origin.peer},
                             {"duration", absl::StrCat(absl::ToInt64Microseconds(call.took), "us")}});
  if (!call.origin.request_ids.empty()) line = FormatLogLine(line, {{"request_id", call.origin.request_ids}});
  if (!call.origin.traceparent.empty()) line = FormatLogLine(line, {{"traceparent", call.origin.traceparent}});
  if (result.ok()) return absl::StrCat(line, " ", FormatTimingLine(*result));
  std::string model = SafeText(call.model, kMaxLoggedName);
  if (!call.version.empty()) absl::StrAppend(&model, "/", SafeText(call.version, kMaxLoggedName));
  return FormatLogLine(line, {{"model", model}, {"message", message}});
}

void EncodeTime(absl::Time time, google::protobuf::Timestamp* out) {
  const int64_t nanos = absl::ToUnixNanos(time);
  out->set_seconds(nanos / 1'000'000'000);
  out->set_nanos(static_cast<int32_t>(nanos % 1'000'000'000));
}

void EncodeModel(const ModelDescription& model, v1::Model* out) {
  out->set_name(model.name);
  out->set_is_default(model.is_default);
  for (const VersionRecord& record : model.versions) {
    v1::ModelVersion* version = out->add_versions();
    version->set_version(record.version);
    version->set_state(EncodeState(record.state));
    version->set_state_reason(record.reason);
    version->set_sha256(record.sha256);
    version->set_path(record.path);
    if (const ModelHandle loaded = record.model.lock()) EncodeLoaded(*loaded, version);
    if (record.shadow != nullptr) EncodeShadow(record.shadow->counts(), version->mutable_shadow());
    if (record.state == ModelState::kLive && !model.serving) {
      version->set_state(v1::MODEL_STATE_NOT_SERVING);
      version->set_state_reason("the engines of all executors failed and are being rebuilt");
    }
  }
}

}  // namespace digit
