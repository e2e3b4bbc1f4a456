#include "model/image/image_header.h"

#include <leptonica/allheaders.h>

#include <cstdint>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace digit {
namespace {

constexpr int kMaxJpegScans = 32;  // cameras and mozjpeg write about ten; every one is a pass over the whole picture

absl::Status Damaged(absl::string_view format) {
  return absl::InvalidArgumentError(absl::StrCat("damaged ", format, " file"));
}

const uint8_t* Bytes(absl::string_view s) { return reinterpret_cast<const uint8_t*>(s.data()); }

// Little- and big-endian integers at a fixed place; the caller has checked the size.
uint32_t Le16(absl::string_view s, size_t at) { return Bytes(s)[at] | Bytes(s)[at + 1] << 8; }
uint32_t Le32(absl::string_view s, size_t at) { return Le16(s, at) | Le16(s, at + 2) << 16; }
uint32_t Be32(absl::string_view s, size_t at) {
  const uint8_t* b = Bytes(s) + at;
  return uint32_t{b[0]} << 24 | uint32_t{b[1]} << 16 | uint32_t{b[2]} << 8 | b[3];
}

absl::StatusOr<ImageHeader> WithSides(ImageHeader header, int64_t width, int64_t height, absl::string_view format) {
  if (width < 1 || height < 1 || width > INT32_MAX || height > INT32_MAX) return Damaged(format);
  header.width = static_cast<int>(width);
  header.height = static_cast<int>(height);
  return header;
}

absl::StatusOr<ImageHeader> ReadPng(absl::string_view s) {
  if (s.size() < 33 || s.substr(12, 4) != "IHDR") return Damaged("PNG");
  return WithSides({.format = ImageFormat::kPng}, Be32(s, 16), Be32(s, 20), "PNG");
}

absl::StatusOr<ImageHeader> ReadJpeg(absl::string_view s) {
  int width = 0, height = 0, samples = 0, ycck = 0, cmyk = 0;
  if (readHeaderMemJpeg(Bytes(s), s.size(), &width, &height, &samples, &ycck, &cmyk) != 0) return Damaged("JPEG");
  int num_scans = 0;
  for (size_t at = 0; (at = s.find("\xFF\xDA", at)) != absl::string_view::npos; at += 2) ++num_scans;
  if (num_scans > kMaxJpegScans) {
    return absl::InvalidArgumentError(absl::StrCat("JPEG file with ", num_scans, " scans; limit ", kMaxJpegScans));
  }
  return WithSides({.format = ImageFormat::kJpeg, .cmyk = samples == 4}, width, height, "JPEG");
}

absl::StatusOr<ImageHeader> ReadBmp(absl::string_view s) {
  if (s.size() < 26) return Damaged("BMP");
  const uint32_t info_size = Le32(s, 14);
  if (info_size < 40) return absl::InvalidArgumentError("BMP file of the OS/2 kind; save it as PNG");
  if (s.size() < 54) return Damaged("BMP");
  if (Le32(s, 30) != 0) return absl::InvalidArgumentError("compressed BMP file; save it as PNG");
  // A negative height says that the rows are stored top-down.
  const int64_t height = static_cast<int32_t>(Le32(s, 22));
  return WithSides({.format = ImageFormat::kBmp}, static_cast<int32_t>(Le32(s, 18)), std::abs(height), "BMP");
}

// Skips a GIF's chain of sub-blocks (a length byte, then as many bytes; length 0 ends it). npos: the file ends first.
size_t SkipSubBlocks(absl::string_view s, size_t at) {
  while (at < s.size()) {
    const size_t length = Bytes(s)[at++];
    if (length == 0) return at;
    at += length;
  }
  return absl::string_view::npos;
}

size_t ColorTableBytes(uint8_t flags) { return flags & 0x80 ? size_t{3} << ((flags & 7) + 1) : 0; }

absl::StatusOr<ImageHeader> ReadGif(absl::string_view s) {
  constexpr uint8_t kExtension = 0x21, kGraphicControl = 0xF9, kImage = 0x2C;
  ImageHeader header{.format = ImageFormat::kGif};
  if (s.size() < 13) return Damaged("GIF");
  size_t at = 13 + ColorTableBytes(Bytes(s)[10]);
  while (at < s.size() && Bytes(s)[at] == kExtension) {
    if (s.size() - at < 8) return Damaged("GIF");
    if (Bytes(s)[at + 1] == kGraphicControl && Bytes(s)[at + 3] & 1) header.transparent_index = Bytes(s)[at + 6];
    at = SkipSubBlocks(s, at + 2);
  }
  if (at >= s.size() || s.size() - at < 11 || Bytes(s)[at] != kImage) return Damaged("GIF");
  const size_t data = at + 11 + ColorTableBytes(Bytes(s)[at + 9]);  // after the LZW code size
  header.first_image_size = SkipSubBlocks(s, data);
  if (header.first_image_size > s.size()) return Damaged("GIF");
  return WithSides(header, Le16(s, at + 5), Le16(s, at + 7), "GIF");
}

absl::StatusOr<ImageHeader> ReadWebP(absl::string_view s) {
  constexpr uint8_t kAnimated = 0x02;
  if (s.size() > 20 && s.substr(12, 4) == "VP8X" && Bytes(s)[20] & kAnimated) {
    return absl::InvalidArgumentError("animated WebP file; save one frame as PNG");
  }
  int width = 0, height = 0, samples = 0;
  if (readHeaderMemWebP(Bytes(s), s.size(), &width, &height, &samples) != 0) return Damaged("WebP");
  return WithSides({.format = ImageFormat::kWebP}, width, height, "WebP");
}

absl::StatusOr<ImageHeader> ReadPnm(absl::string_view s) {
  int width = 0, height = 0;
  if (readHeaderMemPnm(Bytes(s), s.size(), &width, &height, nullptr, nullptr, nullptr, nullptr) != 0) {
    return Damaged("PNM");
  }
  return WithSides({.format = ImageFormat::kPnm}, width, height, "PNM");
}

// The name of a format that people do send and we do not read; empty when it is none we know.
absl::string_view NameOfUnreadFormat(absl::string_view s) {
  if (absl::StartsWith(s, "%PDF")) return "PDF";
  if (absl::StartsWith(s, absl::string_view("II*\0", 4)) || absl::StartsWith(s, absl::string_view("MM\0*", 4))) {
    return "TIFF";
  }
  if (s.substr(0, 12) == absl::string_view("\0\0\0\x0CjP  \r\n\x87\n", 12)) return "JPEG 2000";
  if (s.size() >= 12 && s.substr(4, 4) == "ftyp") return s.substr(8, 4) == "avif" ? "AVIF" : "HEIC";
  if (absl::StartsWith(s, "<svg") || absl::StartsWith(s, "<?xml")) return "SVG";
  return "";
}

}  // namespace

absl::StatusOr<ImageHeader> ReadImageHeader(absl::string_view s) {
  if (s.empty()) return absl::InvalidArgumentError("empty file");
  if (absl::StartsWith(s, "\x89PNG\r\n\x1A\n")) return ReadPng(s);
  if (absl::StartsWith(s, "\xFF\xD8\xFF")) return ReadJpeg(s);
  if (absl::StartsWith(s, "GIF87a") || absl::StartsWith(s, "GIF89a")) return ReadGif(s);
  if (absl::StartsWith(s, "RIFF") && s.size() >= 12 && s.substr(8, 4) == "WEBP") return ReadWebP(s);
  if (absl::StartsWith(s, "BM")) return ReadBmp(s);
  if (s.size() >= 3 && s[0] == 'P' && s[1] >= '1' && s[1] <= '6' && absl::ascii_isspace(s[2])) return ReadPnm(s);
  constexpr absl::string_view kAdvice = "PNG, JPEG, BMP, GIF, WebP and PNM are read";
  const absl::string_view name = NameOfUnreadFormat(s);
  if (name.empty()) return absl::InvalidArgumentError(absl::StrCat("not an image file; ", kAdvice));
  return absl::InvalidArgumentError(absl::StrCat(name, " is not supported; ", kAdvice));
}

absl::Status CheckImageLimits(const ImageHeader& header, const ImageLimits& limits) {
  if (header.width > limits.max_side || header.height > limits.max_side) {
    return absl::ResourceExhaustedError(absl::StrCat("picture of ", header.width, "x", header.height,
                                                     " pixels exceeds the largest side of ", limits.max_side));
  }
  const int64_t num_pixels = int64_t{header.width} * header.height;
  if (num_pixels > limits.max_pixels) {
    return absl::ResourceExhaustedError(absl::StrCat("picture of ", header.width, "x", header.height, " is ",
                                                     num_pixels, " pixels; limit ", limits.max_pixels));
  }
  return absl::OkStatus();
}

}  // namespace digit
