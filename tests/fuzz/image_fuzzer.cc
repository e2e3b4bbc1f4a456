// Any bytes as an image file: FrameImage() must answer, within limits small enough that no input is slow. Seeds:
// tests/data/images.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "model/image/image_framer.h"

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  digit::InitImageLibrary();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const digit::ImageLimits limits{.max_pixels = 250'000, .max_side = 2000};
  for (const digit::Framing framing : {digit::Framing::kMnist, digit::Framing::kNone}) {
    const digit::FramedImage framed = digit::FrameImage(bytes, framing, limits);
    DIGIT_CHECK(framed.message.empty() == (framed.problem == digit::ImageProblem::kNone));
  }
  return 0;
}
