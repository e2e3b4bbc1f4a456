// A run with known numbers, for the tests of reports and plots.
#pragma once

#include <vector>

#include "client/ctl/bench/result.h"

namespace digit {

inline BenchSetup SomeSetup() {
  BenchSetup setup;
  setup.server = "127.0.0.1:50051";
  setup.model = "mnist";
  setup.version = "0123456789ab";
  setup.server_version = "0.1.0";
  setup.pictures = "1000 generated digits (seed 1)";
  setup.picture_count = 1000;
  setup.timeout = absl::Seconds(10);
  setup.server_process = "digitd, pid 7";
  setup.options.concurrency = {1, 64};
  return setup;
}

// 300 answers of 1, 2 and 3 ms in three windows of a second.
inline BenchPoint SomePoint(int64_t load) {
  BenchPoint point;
  point.load = load;
  point.windows = {{1, 90, absl::Milliseconds(2)}, {1, 100, absl::Milliseconds(2)}, {1, 110, absl::Milliseconds(2)}};
  point.stable = true;
  point.client_cpu = absl::Milliseconds(6);
  point.server_cpu = absl::Milliseconds(15);
  point.total.sent = 300;
  point.total.answers = 300;
  point.total.images = 300;
  point.total.labelled = 300;
  point.total.right = 297;
  for (int i = 0; i < 300; ++i) point.total.latency.Add(absl::Milliseconds(1 + i % 3));
  point.total.server = {10, absl::ZeroDuration(),  absl::Milliseconds(5), absl::Milliseconds(10),
                        80, absl::Milliseconds(20)};
  return point;
}

inline BenchPoint SomeBadPoint() {
  BenchPoint point = SomePoint(2000);
  point.stable = false;
  point.given_up = true;
  point.server_cpu.reset();
  point.not_sent = 4;
  point.total.sent = 1306;
  point.total.errors = 1005;
  point.total.errors_by_code = {{8, 1000}, {14, 5}};
  for (int i = 0; i < 1005; ++i) point.total.error_latency.Add(absl::Milliseconds(2));
  point.total.server.max_queue = absl::Microseconds(900);
  point.total.first_error = "the queue is full\nreally";
  point.total.wrong = 1;
  point.total.wrong_samples = {"generated digit 3: '8' under load, '3' alone"};
  return point;
}

}  // namespace digit
