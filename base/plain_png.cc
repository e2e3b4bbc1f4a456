#include "base/plain_png.h"

#include "absl/strings/match.h"

namespace digit {

std::optional<PlainPng> ReadPlainPng(absl::string_view s) {
  constexpr absl::string_view kBegin("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16), kEnd("\0\0\0\0IEND", 8);
  constexpr size_t kHeaderAt = 16, kIdatAt = 33;
  constexpr size_t kOverhead = 57;  // the signature, IHDR, and length, name and CRC of the two others
  if (s.size() < kOverhead || !absl::StartsWith(s, kBegin) || s.substr(s.size() - 12, 8) != kEnd) return std::nullopt;
  const auto number = [s](size_t at) {
    uint32_t value = 0;
    for (size_t i = at; i < at + 4; ++i) value = value << 8 | static_cast<uint8_t>(s[i]);
    return value;
  };
  const bool is_interlaced = s[kHeaderAt + 12] != 0;
  if (is_interlaced || number(kIdatAt) != s.size() - kOverhead || s.substr(kIdatAt + 4, 4) != "IDAT") {
    return std::nullopt;
  }
  return PlainPng{number(kHeaderAt), number(kHeaderAt + 4), static_cast<uint8_t>(s[kHeaderAt + 8]),
                  static_cast<uint8_t>(s[kHeaderAt + 9])};
}

}  // namespace digit
