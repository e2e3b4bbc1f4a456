#include "daemon/serving/recognizer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "daemon/serving/recognition.h"

namespace digit {

Recognizer::Recognizer(const Options& options, ModelRegistry* registry, DecodePool* decode_pool)
    : options_(options), registry_(registry), decode_pool_(decode_pool) {}

int Recognizer::CountImages(const RecognizeCall& call) {
  return static_cast<int>(call.images.size() + call.packed_pixels.size() / kImagePixels);
}

absl::Status Recognizer::Validate(const RecognizeCall& call) const {
  if (call.packed_pixels.size() % kImagePixels != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("packed_pixels has ", call.packed_pixels.size(), " bytes, must be a multiple of 784 (28x28)"));
  }
  const int count = CountImages(call);
  if (count == 0) return absl::InvalidArgumentError("images and packed_pixels are both empty; send at least one image");
  if (count > options_.max_images_per_call) {
    return absl::InvalidArgumentError(absl::StrCat(
        "images and packed_pixels hold ", count, " images, the limit for one call is ", options_.max_images_per_call));
  }
  if (call.deadline <= options_.clock->Now()) {
    return absl::DeadlineExceededError("the deadline had passed when the request arrived");
  }
  return absl::OkStatus();
}

void Recognizer::Recognize(RecognizeCall call, Done done) {
  absl::Status status = Validate(call);
  if (!status.ok()) return done(std::move(status));
  absl::StatusOr<ModelRegistry::Binding> bound = registry_->Bind(call.model, call.version);
  if (!bound.ok()) return done(bound.status());
  std::make_shared<Recognition>(std::move(call), *std::move(bound), options_.image_limits, options_.clock,
                                std::move(done))
      ->Start(decode_pool_);
}

}  // namespace digit
