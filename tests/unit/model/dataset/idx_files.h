// Small IDX and gzip files for the tests of this folder.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <initializer_list>
#include <string>

#include "absl/strings/string_view.h"
#include "base/check.h"

namespace digit {

inline std::string BigEndian(std::initializer_list<uint32_t> words) {
  std::string bytes;
  for (const uint32_t word : words) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(word >> shift));
  }
  return bytes;
}

// Pixel p of image i is (i * 7 + p) mod 256.
inline std::string ImagesFile(uint32_t count) {
  std::string bytes = BigEndian({0x803, count, 28, 28});
  for (uint32_t i = 0; i < count; ++i) {
    for (uint32_t p = 0; p < 784; ++p) bytes.push_back(static_cast<char>(i * 7 + p));
  }
  return bytes;
}

// Label i is i mod 10.
inline std::string LabelsFile(uint32_t count) {
  std::string bytes = BigEndian({0x801, count});
  for (uint32_t i = 0; i < count; ++i) bytes.push_back(static_cast<char>(i % 10));
  return bytes;
}

inline std::string GzipOf(absl::string_view plain) {
  z_stream stream = {};
  DIGIT_CHECK(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, plain.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  DIGIT_CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace digit
