// The Python of tests that need PyTorch.
#pragma once

#include <cstdlib>
#include <string>

namespace digit {

// $DIGIT_PYTHON, or Debian's own interpreter: python3-torch is installed for no other.
inline std::string Python() {
  const char* named = std::getenv("DIGIT_PYTHON");
  return named != nullptr ? named : "/usr/bin/python3";
}

}  // namespace digit
