// Measures what a piece of code takes from the heap.
#pragma once

#include <cstddef>

namespace digit {

// False under sanitizers, which bring their own operator new.
bool HeapMeterWorks();

// Starts at 0; PeakBytes() is the most that operator new had given out since then, beyond what was there.
class HeapMeter {
 public:
  HeapMeter();
  size_t PeakBytes() const;
};

}  // namespace digit
