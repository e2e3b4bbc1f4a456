// Large numbers for people.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"

namespace digit {

// 1234567 -> "1,234,567".
inline std::string Grouped(int64_t n) {
  const std::string digits = absl::StrCat(n);
  const size_t sign = n < 0 ? 1 : 0;
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > sign && (digits.size() - i) % 3 == 0) out.push_back(',');
    out.push_back(digits[i]);
  }
  return out;
}

}  // namespace digit
