// Bytes of an image file -> the 28x28 picture that the network sees.
//
// sniff -> limits from the header -> decode -> orientation, alpha -> grey -> polarity -> ink -> frame as MNIST was
// framed. A 28x28 grey picture without alpha is never reframed, only inverted when its border is bright.
// Blocks for milliseconds of CPU; call it on a decode thread, on a gRPC one only for what IsSoonFramed(). Thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "model/spec/model_spec.h"

namespace digit {

struct ImageLimits {
  int64_t max_file_bytes = int64_t{12} << 20;
  int64_t max_pixels = 24'000'000;
  int max_side = 12'000;
};

enum class ImageProblem {
  kNone,
  kUndecodable,  // not an image, a format we do not read, or a damaged one
  kTooLarge,     // beyond ImageLimits; found in the header, before decoding
  kNoDigit,      // decoded, but blank
};

struct FramedImage {
  ImageProblem problem = ImageProblem::kNone;
  std::string message;  // for people; empty when problem is kNone; names the limit that was broken
  std::array<uint8_t, kImagePixels> pixels{};  // 0 paper ... 255 ink
};

// Whether the file is of the one kind that is framed in some 8 us, less than another thread takes to wake up: a grey
// PNG of 28x28 as MNIST's are stored, in at most 1 KiB and three chunks, so that nothing else in it has to be unpacked.
bool IsSoonFramed(absl::string_view file_bytes);

FramedImage FrameImage(absl::string_view file_bytes, Framing framing, const ImageLimits& limits = {});

// Call once in main() before threads start: quiets the decoding libraries (quiet_stderr.h).
void InitImageLibrary();

}  // namespace digit
