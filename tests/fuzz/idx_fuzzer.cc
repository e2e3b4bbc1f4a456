// Any bytes as an images file and a labels file, plain or gzip: ParseIdx() must answer, and what it accepts must be
// consistent. The input is cut in two at the place its first two bytes name.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "model/dataset/idx.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const absl::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const size_t cut = (size_t{data[0]} << 8 | data[1]) % (bytes.size() + 1);
  const auto set = digit::ParseIdx(bytes.substr(0, cut), "images", bytes.substr(cut), "labels");
  if (!set.ok()) return 0;
  DIGIT_CHECK(set->size() > 0 && set->pixels.size() == size_t{digit::kImagePixels} * set->labels.size());
  return 0;
}
