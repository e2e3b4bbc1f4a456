#include "tests/unit/model/archive/heap_meter.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DIGIT_HEAP_METER 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define DIGIT_HEAP_METER 0
#endif
#endif
#ifndef DIGIT_HEAP_METER
#define DIGIT_HEAP_METER 1
#endif

namespace {

std::atomic<size_t> live_bytes{0};
std::atomic<size_t> peak_bytes{0};
size_t base_bytes = 0;

}  // namespace

#if DIGIT_HEAP_METER
void* operator new(size_t size) {
  void* block = std::malloc(size);
  if (block == nullptr) std::abort();
  const size_t live = live_bytes += malloc_usable_size(block);
  if (live > peak_bytes) peak_bytes = live;  // the tests that measure have one thread
  return block;
}

void operator delete(void* block) noexcept {
  if (block != nullptr) live_bytes -= malloc_usable_size(block);
  std::free(block);
}

void operator delete(void* block, size_t) noexcept { operator delete(block); }
#endif

namespace digit {

bool HeapMeterWorks() { return DIGIT_HEAP_METER != 0; }

HeapMeter::HeapMeter() {
  base_bytes = live_bytes;
  peak_bytes = base_bytes;
}

size_t HeapMeter::PeakBytes() const { return peak_bytes - base_bytes; }

}  // namespace digit
