#include "model/image/image_framer.h"

#include <leptonica/allheaders.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/plain_png.h"
#include "base/status.h"
#include "model/image/area_scale.h"
#include "model/image/image_decoder.h"
#include "model/image/image_header.h"
#include "model/image/ink.h"
#include "model/image/ink_components.h"
#include "model/image/mnist_framing.h"
#include "model/image/quiet_stderr.h"

namespace digit {
namespace {

using Pixels = std::array<uint8_t, kImagePixels>;

// White ink on black, by turning a picture with a bright border round; NOT_FOUND when it is all one grey.
absl::Status MakeInkBright(GreyPicture& picture) {
  const auto [darkest, lightest] = std::minmax_element(picture.pixels.begin(), picture.pixels.end());
  if (*lightest - *darkest < kLeastContrast) return absl::NotFoundError("no digit found: the picture is blank");
  if (!HasBrightBorder(picture)) return absl::OkStatus();
  for (uint8_t& pixel : picture.pixels) pixel = static_cast<uint8_t>(255 - pixel);
  return absl::OkStatus();
}

// The whole picture, its longer side scaled to 28 and its shorter one centred on black.
Pixels ScaleWhole(const GreyPicture& picture) {
  Pixels pixels;
  if (picture.width == kImageSide && picture.height == kImageSide) {
    std::copy(picture.pixels.begin(), picture.pixels.end(), pixels.begin());
    return pixels;
  }
  const double step = static_cast<double>(std::max(picture.width, picture.height)) / kImageSide;
  const AxisMap x{(picture.width - kImageSide * step) / 2, step}, y{(picture.height - kImageSide * step) / 2, step};
  const std::vector<float> scaled =
      ScaleByArea(picture, {0, 0, picture.width, picture.height}, x, kImageSide, y, kImageSide);
  std::transform(scaled.begin(), scaled.end(), pixels.begin(),
                 [](float v) { return static_cast<uint8_t>(std::clamp(std::lround(v), 0L, 255L)); });
  return pixels;
}

absl::StatusOr<Pixels> Frame(absl::string_view file_bytes, Framing framing, const ImageLimits& limits) {
  if (static_cast<int64_t>(file_bytes.size()) > limits.max_file_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("image file of ", file_bytes.size(), " bytes; limit ", limits.max_file_bytes));
  }
  ASSIGN_OR_RETURN(const ImageHeader header, ReadImageHeader(file_bytes));
  RETURN_IF_ERROR(CheckImageLimits(header, limits));
  ASSIGN_OR_RETURN(DecodedImage image, DecodeImage(file_bytes, header));
  const bool already_framed =
      image.light.width == kImageSide && image.light.height == kImageSide && image.is_grey && !image.has_alpha;
  if (already_framed || framing == Framing::kNone) {
    RETURN_IF_ERROR(MakeInkBright(image.light));
    return ScaleWhole(image.light);
  }
  ASSIGN_OR_RETURN(GreyPicture ink, FindInk(image.light));
  ASSIGN_OR_RETURN(const PixelBox box, KeepDigit(ink));
  return FrameAsMnist(ink, box);
}

ImageProblem ProblemOf(const absl::Status& status) {
  if (absl::IsResourceExhausted(status)) return ImageProblem::kTooLarge;
  if (absl::IsNotFound(status)) return ImageProblem::kNoDigit;
  return ImageProblem::kUndecodable;
}

}  // namespace

bool IsSoonFramed(absl::string_view file_bytes) {
  constexpr size_t kMaxBytes = 1024;
  if (file_bytes.size() > kMaxBytes) return false;
  const std::optional<PlainPng> png = ReadPlainPng(file_bytes);
  return png.has_value() && png->width == kImageSide && png->height == kImageSide && png->bit_depth == 8 &&
         png->colour_type == 0;
}

FramedImage FrameImage(absl::string_view file_bytes, Framing framing, const ImageLimits& limits) {
  absl::StatusOr<Pixels> pixels = Frame(file_bytes, framing, limits);
  if (pixels.ok()) return {ImageProblem::kNone, "", *pixels};
  return {ProblemOf(pixels.status()), std::string(pixels.status().message()), {}};
}

void InitImageLibrary() {
  setMsgSeverity(L_SEVERITY_NONE);
  InstallQuietStderr();
}

}  // namespace digit
