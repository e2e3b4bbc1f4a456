#include "model/image/image_decoder.h"

#include <leptonica/allheaders.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "model/image/exif_orientation.h"
#include "model/image/quiet_stderr.h"

namespace digit {
namespace {

struct PixDeleter {
  void operator()(Pix* pix) const { pixDestroy(&pix); }
};
using PixPtr = std::unique_ptr<Pix, PixDeleter>;

// Lets the JPEG decoder skip work that averaging would throw away: the largest power of two that leaves a side of 600.
int JpegReduction(const ImageHeader& header) {
  const int side = std::max(header.width, header.height);
  int reduction = 1;
  while (reduction < 8 && side / (reduction * 2) >= 600) reduction *= 2;
  return reduction;
}

PixPtr ReadPix(absl::string_view s, const ImageHeader& header) {
  const QuietStderr quiet;
  const auto* data = reinterpret_cast<const l_uint8*>(s.data());
  switch (header.format) {
    case ImageFormat::kPng:
      return PixPtr(pixReadMemPng(data, s.size()));
    case ImageFormat::kJpeg: {
      // Only brightness matters, but a small picture's colour decides whether it is reframed.
      const bool brightness_only = !header.cmyk && std::max(header.width, header.height) > 64;
      return PixPtr(pixReadMemJpeg(data, s.size(), 0, JpegReduction(header), nullptr,
                                   brightness_only ? L_JPEG_READ_LUMINANCE : 0));
    }
    case ImageFormat::kBmp:
      return PixPtr(pixReadMemBmp(data, s.size()));
    case ImageFormat::kGif: {
      // The decoder would unpack every frame of an animation before it gives the first, so it gets only that.
      const std::string first = std::string(s.substr(0, header.first_image_size)) + ';';
      return PixPtr(pixReadMemGif(reinterpret_cast<const l_uint8*>(first.data()), first.size()));
    }
    case ImageFormat::kWebP:
      return PixPtr(pixReadMemWebP(data, s.size()));
    case ImageFormat::kPnm:
      return PixPtr(pixReadMemPnm(data, s.size()));
  }
  return nullptr;
}

// To 8 bits grey, or 32 bits RGB with or without alpha; nullptr when that fails.
PixPtr WithoutPalette(PixPtr pix, int transparent_index) {
  if (PixColormap* palette = pixGetColormap(pix.get()); palette != nullptr) {
    if (transparent_index >= 0) pixcmapSetAlpha(palette, transparent_index, 0);  // refuses one beyond the palette
    l_int32 opaque = 1;
    pixcmapIsOpaque(palette, &opaque);
    return PixPtr(pixRemoveColormap(pix.get(), opaque ? REMOVE_CMAP_TO_FULL_COLOR : REMOVE_CMAP_WITH_ALPHA));
  }
  if (pixGetDepth(pix.get()) == 24) return PixPtr(pixConvert24To32(pix.get()));
  if (pixGetDepth(pix.get()) != 8 && pixGetDepth(pix.get()) != 32) return PixPtr(pixConvertTo8(pix.get(), 0));
  return pix;
}

// One output row while its source rows are summed.
struct RowSums {
  std::vector<uint32_t> light;  // brightness * alpha / 255
  std::vector<uint32_t> alpha;
};

struct Planes {
  GreyPicture light;  // premultiplied with alpha
  GreyPicture alpha;  // empty when the file has none
  bool is_grey = true;
};

// Adds one row of 32-bit pixels. Returns whether all of them were grey.
bool AddColorRow(const l_uint32* row, int width, int factor, bool has_alpha, RowSums& sums) {
  uint32_t colour = 0;
  for (int x = 0; x < width; ++x) {
    const uint32_t r = row[x] >> 24, g = row[x] >> 16 & 255, b = row[x] >> 8 & 255;
    colour |= (r ^ g) | (g ^ b);
    const uint32_t light = (77 * r + 150 * g + 29 * b + 128) >> 8;  // ITU-R BT.601
    const int out = factor == 1 ? x : x / factor;
    if (has_alpha) {
      const uint32_t alpha = row[x] & 255;
      sums.light[out] += (light * alpha + 127) / 255;
      sums.alpha[out] += alpha;
    } else {
      sums.light[out] += light;
    }
  }
  return colour == 0;
}

void AddGreyRow(l_uint32* row, int width, int factor, RowSums& sums) {
  for (int x = 0; x < width; ++x) sums.light[factor == 1 ? x : x / factor] += GET_DATA_BYTE(row, x);
}

// Divides the sums of one output row by the number of pixels under each and starts the next.
void FinishRow(std::vector<uint32_t>& sums, int width, int factor, int num_rows, uint8_t* out) {
  for (size_t x = 0; x < sums.size(); ++x) {
    const int num_columns = std::min(factor, width - static_cast<int>(x) * factor);
    const uint32_t count = static_cast<uint32_t>(num_columns * num_rows);
    out[x] = static_cast<uint8_t>((sums[x] + count / 2) / count);
    sums[x] = 0;
  }
}

// Of a grey picture that is small enough as it is.
Planes CopyGrey(Pix* pix) {
  Planes planes;
  planes.light = {pixGetWidth(pix), pixGetHeight(pix), {}};
  planes.light.pixels.reserve(static_cast<size_t>(planes.light.width) * planes.light.height);
  for (int y = 0; y < planes.light.height; ++y) {
    l_uint32* row = pixGetData(pix) + static_cast<size_t>(y) * pixGetWpl(pix);
    for (int x = 0; x < planes.light.width; ++x) planes.light.pixels.push_back(GET_DATA_BYTE(row, x));
  }
  return planes;
}

// Grey levels and alpha, averaged over squares so that no side is above kWorkingSide.
Planes Reduce(Pix* pix) {
  const int width = pixGetWidth(pix), height = pixGetHeight(pix);
  const int factor = (std::max(width, height) + kWorkingSide - 1) / kWorkingSide;
  const bool is_color = pixGetDepth(pix) == 32;
  if (!is_color && factor == 1) return CopyGrey(pix);
  const bool has_alpha = is_color && pixGetSpp(pix) == 4;
  Planes planes;
  const int out_width = (width + factor - 1) / factor, out_height = (height + factor - 1) / factor;
  const size_t size = static_cast<size_t>(out_width) * out_height;
  planes.light = {out_width, out_height, std::vector<uint8_t>(size)};
  if (has_alpha) planes.alpha = {out_width, out_height, std::vector<uint8_t>(size)};
  RowSums sums{std::vector<uint32_t>(out_width), std::vector<uint32_t>(has_alpha ? out_width : 0)};
  for (int out_y = 0; out_y < out_height; ++out_y) {
    const int end = std::min(height, (out_y + 1) * factor);
    for (int y = out_y * factor; y < end; ++y) {
      l_uint32* row = pixGetData(pix) + static_cast<size_t>(y) * pixGetWpl(pix);
      if (is_color) {
        planes.is_grey &= AddColorRow(row, width, factor, has_alpha, sums);
      } else {
        AddGreyRow(row, width, factor, sums);
      }
    }
    const size_t at = static_cast<size_t>(out_y) * out_width;
    FinishRow(sums.light, width, factor, end - out_y * factor, planes.light.pixels.data() + at);
    if (has_alpha) FinishRow(sums.alpha, width, factor, end - out_y * factor, planes.alpha.pixels.data() + at);
  }
  return planes;
}

// The grey level to show a see-through picture on. Strokes on a clear canvas get the ground they differ from most,
// whatever their colour: there the alpha is the ink. A picture that covers most of its area and has a contrast of its
// own (a photo with rounded corners) is continued with its most common kind of grey instead.
int GroundFor(const Planes& planes) {
  std::array<double, 256> weight{};
  double total = 0, mean = 0;
  for (size_t i = 0; i < planes.light.pixels.size(); ++i) {
    const int alpha = planes.alpha.pixels[i];
    if (alpha == 0) continue;
    const int level = std::min(255, planes.light.pixels[i] * 255 / alpha);
    weight[level] += alpha;
    total += alpha;
    mean += alpha * level;
  }
  if (total == 0) return 255;
  mean /= total;
  double variance = 0, below = 0;
  int median = -1;
  for (int level = 0; level < 256; ++level) {
    variance += weight[level] * (level - mean) * (level - mean) / total;
    below += weight[level];
    if (median < 0 && below * 2 >= total) median = level;
  }
  const double coverage = total / (255.0 * static_cast<double>(planes.alpha.pixels.size()));
  constexpr double kOwnContrast = 10;  // grey levels, standard deviation; a guess between noise (2-5) and ink (50-100)
  if (coverage > 0.5 && variance > kOwnContrast * kOwnContrast) return median;
  return mean >= 128 ? 0 : 255;
}

int OrientationOf(absl::string_view file_bytes, ImageFormat format) {
  switch (format) {
    case ImageFormat::kJpeg:
      return JpegOrientation(file_bytes);
    case ImageFormat::kPng:
      return PngOrientation(file_bytes);
    case ImageFormat::kWebP:
      return WebPOrientation(file_bytes);
    case ImageFormat::kBmp:
    case ImageFormat::kGif:
    case ImageFormat::kPnm:
      return 1;  // these have no place for it
  }
  return 1;
}

}  // namespace

absl::StatusOr<DecodedImage> DecodeImage(absl::string_view file_bytes, const ImageHeader& header) {
  PixPtr pix = ReadPix(file_bytes, header);
  if (pix != nullptr) pix = WithoutPalette(std::move(pix), header.transparent_index);
  if (pix == nullptr) return absl::InvalidArgumentError("damaged image file, or of a kind that is not supported");
  Planes planes = Reduce(pix.get());
  pix.reset();
  DecodedImage image{.light = std::move(planes.light), .is_grey = planes.is_grey};
  image.has_alpha = std::any_of(planes.alpha.pixels.begin(), planes.alpha.pixels.end(), [](int a) { return a != 255; });
  if (image.has_alpha) {
    planes.light = std::move(image.light);
    const int ground = GroundFor(planes);
    for (size_t i = 0; i < planes.light.pixels.size(); ++i) {
      const int shown = planes.light.pixels[i] + (ground * (255 - planes.alpha.pixels[i]) + 127) / 255;
      planes.light.pixels[i] = static_cast<uint8_t>(std::min(255, shown));
    }
    image.light = std::move(planes.light);
  }
  image.light = ApplyOrientation(std::move(image.light), OrientationOf(file_bytes, header.format));
  return image;
}

}  // namespace digit
