// Numbers as zip files and pickles hold them, from any alignment.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "absl/strings/string_view.h"

namespace digit {

static_assert(std::endian::native == std::endian::little, "the readers and engines of model/ assume little endian");

// The T (an integer or IEEE float) at `offset`; the caller has checked that its bytes are there.
template <typename T>
T LoadLittle(absl::string_view bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

}  // namespace digit
