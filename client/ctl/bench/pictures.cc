#include "client/ctl/bench/pictures.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/ctl/files.h"
#include "model/dataset/digit_generator.h"

namespace digit {
namespace {

absl::Status Named(absl::string_view what, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(what, ": ", status.message()));
}

absl::StatusOr<BenchPictures> FromFiles(const BenchOptions& options) {
  BenchPictures set;
  set.encoded = true;
  const absl::StatusOr<std::vector<std::string>> files = ExpandFiles(options.images);
  if (!files.ok()) return Named("--images", files.status());
  for (const std::string& file : *files) {
    absl::StatusOr<std::string> bytes = ReadImage(file);
    if (!bytes.ok()) return Named(absl::StrCat("--images: ", file), bytes.status());
    set.pictures.push_back({file, *std::move(bytes)});
  }
  set.about = absl::StrCat(files->size(), files->size() == 1 ? " picture file" : " picture files");
  return set;
}

BenchPictures FromLabeled(const LabeledImages& images, absl::string_view kind) {
  BenchPictures set;
  for (int i = 0; i < images.size(); ++i) {
    const absl::Span<const uint8_t> pixels = images.image(i);
    set.pictures.push_back({absl::StrCat(kind, " ", i), {pixels.begin(), pixels.end()}, images.labels[i]});
  }
  return set;
}

}  // namespace

absl::StatusOr<BenchPictures> LoadBenchPictures(const BenchOptions& options) {
  if (!options.images.empty()) return FromFiles(options);
  if (options.idx.empty()) {
    BenchPictures set = FromLabeled(DigitGenerator(options.seed).DrawMany(options.generate), "generated digit");
    set.about = absl::StrCat(options.generate, " generated digits (seed ", options.seed, ")");
    return set;
  }
  const absl::StatusOr<LabeledImages> images = ReadIdxFolder(options.idx, Split::kTest);
  if (!images.ok()) return Named("--idx", images.status());
  if (images->size() == 0) return absl::InvalidArgumentError(absl::StrCat("--idx: no images in '", options.idx, "'"));
  BenchPictures set = FromLabeled(*images, "test image");
  set.about = absl::StrCat(images->size(), " raw test images of ", options.idx);
  return set;
}

}  // namespace digit
