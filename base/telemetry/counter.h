// A number of events, counted by many threads at once and read now and then.
//
// No lock, no allocation, and no cache line that goes from core to core at every event: each thread adds to one of a
// few cells, and a reader sums them up. One Add() is one relaxed atomic addition. Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace digit {

inline constexpr size_t kTelemetryCells = 8;  // guess: threads that share one are seldom at it in the same moment

// Which cell the calling thread adds to: threads take them in turns.
inline size_t TelemetryCell() {
  static std::atomic<size_t> next{0};
  thread_local const size_t cell = next.fetch_add(1, std::memory_order_relaxed) % kTelemetryCells;
  return cell;
}

class Counter {
 public:
  void Add(int64_t events = 1) { cells_[TelemetryCell()].events.fetch_add(events, std::memory_order_relaxed); }
  int64_t value() const {
    int64_t sum = 0;
    for (const Cell& cell : cells_) sum += cell.events.load(std::memory_order_relaxed);
    return sum;
  }

 private:
  struct alignas(64) Cell {
    std::atomic<int64_t> events{0};
  };
  std::array<Cell, kTelemetryCells> cells_;
};

}  // namespace digit
