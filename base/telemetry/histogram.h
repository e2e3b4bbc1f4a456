// How often values fell into which range, recorded by many threads at once as Counter counts.
//
// Observe() is a search in a short sorted array and two relaxed atomic additions. Thread-safe.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "base/telemetry/counter.h"

namespace digit {

class Histogram {
 public:
  struct Buckets {
    std::vector<int64_t> bounds;  // upper ones, inclusive, ascending; what is above the last is counted too
    double per_unit = 1;          // values that make 1 in the unit of the metric's name
  };
  // For durations in nanoseconds: 50 us to 10 s in steps of about 2.
  static Buckets Seconds();
  // For counts: 1, 2, 4, ... 1,024.
  static Buckets PowersOfTwo();

  explicit Histogram(Buckets buckets);

  void Observe(int64_t value);
  void Observe(absl::Duration duration) { Observe(absl::ToInt64Nanoseconds(duration)); }  // with Seconds()

  struct Reading {
    std::vector<double> bounds;   // in the unit of the metric's name
    std::vector<int64_t> counts;  // of the values in each bucket alone; one more than bounds: those above the last
    double sum = 0;               // of the values, in that unit
    int64_t count() const;
  };
  // While others observe, a value may be in `sum` and not yet in `counts`, or the other way round.
  Reading Read() const;

 private:
  static constexpr size_t kNumbersPerLine = 64 / sizeof(int64_t);
  struct alignas(64) Line {
    std::array<std::atomic<int64_t>, kNumbersPerLine> numbers{};
  };
  // Number 0 of a cell is the sum, number 1 + i the count of bucket i.
  const std::atomic<int64_t>& At(size_t cell, size_t number) const {
    return lines_[cell * lines_per_cell_ + number / kNumbersPerLine].numbers[number % kNumbersPerLine];
  }

  const Buckets buckets_;
  const size_t lines_per_cell_;
  std::vector<Line> lines_;
};

}  // namespace digit
