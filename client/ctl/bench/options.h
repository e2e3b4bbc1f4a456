// What `digitctl bench` is asked to do.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace digit {

enum class BenchMode { kUnary, kStream, kPacked };

struct BenchOptions {
  // Load. Exactly one of the two is not empty: requests in flight (closed loop), or requests a second (open loop).
  std::vector<int64_t> concurrency;
  std::vector<int64_t> rate;
  BenchMode mode = BenchMode::kUnary;
  int images_per_message = 1;
  int streams = 1;                   // of mode stream
  int connections = 1;               // TCP connections; each gets a thread, as far as there are cores
  int64_t max_outstanding = 10'000;  // open loop: arrivals beyond it are not sent, and counted

  // Pictures: files, else an IDX folder, else generated.
  std::vector<std::string> images;  // files, folders, patterns; sent encoded
  std::string idx;                  // a folder as MNIST's; its test set is sent raw
  int generate = 1000;
  uint64_t seed = 1;  // of the generator and of the arrivals

  // Measuring.
  absl::Duration warmup = absl::Seconds(1);
  absl::Duration window = absl::Seconds(1);
  absl::Duration duration = absl::Seconds(10);  // measuring at most, for each point
  double stable = 0.05;                         // share
  std::string plot;                             // empty: none

  bool open_loop() const { return !rate.empty(); }
};

// The same as users write it; parsed by FinishBenchOptions.
struct BenchTexts {
  std::string concurrency, rate, mode = "unary", stable = "5%", warmup = "1s", window = "1s", duration = "10s";
  int images_per_message = 0;  // 0: 64 for packed, else 1
};

const char* ModeName(BenchMode mode);

// Fills in what `texts` say. INVALID_ARGUMENT names the flag: a wrong value, or flags that do not go together.
absl::Status FinishBenchOptions(const BenchTexts& texts, BenchOptions* options);

}  // namespace digit
