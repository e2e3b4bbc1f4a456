#include "model/dataset/idx.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "model/dataset/gzip.h"

namespace digit {
namespace {

constexpr int64_t kMaxIdxBytes = int64_t{256} << 20;  // five times MNIST's training images; bounds what gzip may claim
constexpr uint32_t kImagesMagic = 0x00000803;         // uint8, three dimensions
constexpr uint32_t kLabelsMagic = 0x00000801;         // uint8, one dimension

absl::Status Bad(absl::string_view name, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("'", name, "': ", what));
}

uint32_t BigEndian32(absl::string_view bytes, size_t offset) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[offset + i]);
  return value;
}

std::string BigEndianBytes(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

struct Content {
  int count = 0;
  absl::string_view data;
};

// `magic` says which of the two kinds of file is wanted; `kind` names it in messages.
absl::StatusOr<Content> ParseContent(absl::string_view bytes, absl::string_view name, uint32_t magic,
                                     absl::string_view kind) {
  const size_t dimensions = magic & 0xff;
  const size_t header_bytes = 4 + 4 * dimensions;
  if (bytes.size() < header_bytes) {
    return Bad(name, absl::StrCat("too short for an IDX header: ", bytes.size(), " bytes, needs ", header_bytes));
  }
  if (const uint32_t found = BigEndian32(bytes, 0); found != magic) {
    return Bad(name, absl::StrCat("not an IDX file of ", kind, ": magic 0x", absl::Hex(found, absl::kZeroPad8),
                                  ", expected 0x", absl::Hex(magic, absl::kZeroPad8)));
  }
  const uint32_t count = BigEndian32(bytes, 4);
  uint64_t item_bytes = 1;
  if (dimensions == 3) {
    const uint32_t rows = BigEndian32(bytes, 8), columns = BigEndian32(bytes, 12);
    if (rows != kImageSide || columns != kImageSide) {
      return Bad(name, absl::StrCat("images are ", rows, "x", columns, ", expected ", kImageSide, "x", kImageSide));
    }
    item_bytes = kImagePixels;
  }
  if (count == 0) return Bad(name, absl::StrCat("holds no ", kind));
  const absl::string_view data = bytes.substr(header_bytes);
  const uint64_t expected = count * item_bytes;  // at most 2^32 * 784: no overflow
  if (data.size() != expected) {
    return Bad(name, absl::StrCat(data.size() < expected ? "too short" : "too long", ": ", count, " ", kind, " need ",
                                  expected, " bytes after the header, found ", data.size()));
  }
  if (expected > static_cast<uint64_t>(kMaxIdxBytes)) {
    return Bad(name, absl::StrCat("larger than the limit of ", kMaxIdxBytes, " bytes"));
  }
  return Content{static_cast<int>(count), data};
}

// `bytes` itself, or what they unpack to, kept in `*unpacked`.
absl::StatusOr<absl::string_view> Unpack(absl::string_view bytes, absl::string_view name, std::string* unpacked) {
  if (!LooksLikeGzip(bytes)) return bytes;
  ASSIGN_OR_RETURN(*unpacked, Gunzip(bytes, name, kMaxIdxBytes));
  return absl::string_view(*unpacked);
}

struct NamedFile {
  std::string path;
  std::string bytes;
};

absl::StatusOr<NamedFile> ReadPlainOrGzip(const std::string& folder, const std::string& name) {
  for (const char* extension : {"", ".gz"}) {
    std::string path = absl::StrCat(folder, "/", name, extension);
    absl::StatusOr<std::string> bytes = ReadFile(path, kMaxIdxBytes);
    if (bytes.ok()) return NamedFile{std::move(path), *std::move(bytes)};
    if (!absl::IsNotFound(bytes.status())) return bytes.status();
  }
  return absl::NotFoundError(absl::StrCat("no '", name, "' and no '", name, ".gz' in '", folder,
                                          "'; `digit-train fetch mnist --data-dir ", folder,
                                          "` (or fetch fashion-mnist) gets the files"));
}

}  // namespace

absl::StatusOr<LabeledImages> ParseIdx(absl::string_view images, absl::string_view images_name,
                                       absl::string_view labels, absl::string_view labels_name) {
  std::string unpacked_images, unpacked_labels;
  ASSIGN_OR_RETURN(images, Unpack(images, images_name, &unpacked_images));
  ASSIGN_OR_RETURN(labels, Unpack(labels, labels_name, &unpacked_labels));
  ASSIGN_OR_RETURN(const Content pixels, ParseContent(images, images_name, kImagesMagic, "images"));
  ASSIGN_OR_RETURN(const Content classes, ParseContent(labels, labels_name, kLabelsMagic, "labels"));
  if (pixels.count != classes.count) {
    return absl::InvalidArgumentError(absl::StrCat("'", images_name, "' holds ", pixels.count, " images but '",
                                                   labels_name, "' ", classes.count, " labels"));
  }
  LabeledImages result;
  result.pixels.assign(pixels.data.begin(), pixels.data.end());
  result.labels.assign(classes.data.begin(), classes.data.end());
  return result;
}

std::string FormatIdxImages(const LabeledImages& images) {
  std::string bytes = absl::StrCat(BigEndianBytes(kImagesMagic), BigEndianBytes(static_cast<uint32_t>(images.size())),
                                   BigEndianBytes(kImageSide), BigEndianBytes(kImageSide));
  bytes.append(images.pixels.begin(), images.pixels.end());
  return bytes;
}

std::string FormatIdxLabels(const LabeledImages& images) {
  std::string bytes = BigEndianBytes(kLabelsMagic) + BigEndianBytes(static_cast<uint32_t>(images.size()));
  bytes.append(images.labels.begin(), images.labels.end());
  return bytes;
}

absl::StatusOr<LabeledImages> ReadIdxFolder(const std::string& folder, Split split) {
  const std::string stem = split == Split::kTrain ? "train" : "t10k";
  ASSIGN_OR_RETURN(const NamedFile images, ReadPlainOrGzip(folder, stem + "-images-idx3-ubyte"));
  ASSIGN_OR_RETURN(const NamedFile labels, ReadPlainOrGzip(folder, stem + "-labels-idx1-ubyte"));
  return ParseIdx(images.bytes, images.path, labels.bytes, labels.path);
}

TrainValidation SplitOffValidation(const LabeledImages& all, int count) {
  const int cut = all.size() - std::clamp(count, 0, all.size());
  const auto pixel_cut = all.pixels.begin() + static_cast<std::ptrdiff_t>(cut) * kImagePixels;
  TrainValidation result;
  result.train.pixels.assign(all.pixels.begin(), pixel_cut);
  result.train.labels.assign(all.labels.begin(), all.labels.begin() + cut);
  result.validation.pixels.assign(pixel_cut, all.pixels.end());
  result.validation.labels.assign(all.labels.begin() + cut, all.labels.end());
  return result;
}

}  // namespace digit
