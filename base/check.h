// CHECK for our own bugs only, never for input: prints file, line and condition to stderr, then aborts.
#pragma once

namespace digit {
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);
}  // namespace digit

#define DIGIT_CHECK(condition)                              \
  do {                                                      \
    if (!(condition)) [[unlikely]] {                        \
      ::digit::CheckFailed(__FILE__, __LINE__, #condition); \
    }                                                       \
  } while (false)
