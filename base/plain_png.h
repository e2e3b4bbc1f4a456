// The few facts of a PNG file that tell how soon it is decoded, without decoding it.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"

namespace digit {

struct PlainPng {
  uint32_t width = 0, height = 0;
  uint8_t bit_depth = 0;
  uint8_t colour_type = 0;  // 0: grey
};

// Of a file that is not interlaced and consists of the chunks IHDR, one IDAT and IEND, as most programs write small
// pictures: nothing else in it can be large when it is unpacked. Else nothing. Whether the file is whole is not known.
std::optional<PlainPng> ReadPlainPng(absl::string_view file_bytes);

}  // namespace digit
