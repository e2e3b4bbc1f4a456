// What a benchmark found. Values only.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/ctl/bench/latency_histogram.h"
#include "client/ctl/bench/options.h"
#include "client/ctl/bench/windows.h"

namespace digit {

// The same for all points of a run.
struct BenchSetup {
  std::string server, model, version, server_version;  // version: of the model
  std::string pictures;                                // BenchPictures::about
  int64_t picture_count = 0;                           // that are sent
  int threads = 1;                                     // of the generator, for answers
  absl::Duration timeout;
  std::string server_process;  // "digitd, pid 123"; empty: not on this machine, or not found
  BenchOptions options;
};

// Sums over the requests that asked the server where the time went (1 in kTimingEvery).
struct ServerTimes {
  int64_t requests = 0;
  absl::Duration decode, queue, compute;
  int64_t batch_images = 0;  // sum of the batch sizes
  absl::Duration latency;    // as the client saw it
  absl::Duration max_queue;  // the longest
};
inline constexpr int kTimingEvery = 16;

// What was counted over some time. `answers` and `errors` are of the requests whose sending was due after counting
// began; an error is a request of which at least one picture has no answer.
struct BenchCounts {
  int64_t sent = 0;
  int64_t answers = 0;
  int64_t errors = 0;
  std::map<int, int64_t> errors_by_code;   // gRPC codes
  std::string first_error;                 // message of the first; for people
  int64_t images = 0;                      // answered, also of requests from before counting began
  int64_t wrong = 0;                       // answers that differ from what the server says for that picture alone
  std::vector<std::string> wrong_samples;  // the first few, in words
  int64_t labelled = 0, right = 0;         // images with a known class, and those among them that got it
  LatencyHistogram latency;                // of answers
  LatencyHistogram error_latency;          // of errors: how fast a server refuses
  LatencyHistogram send_delay;             // open loop: how late the generator itself was
  ServerTimes server;

  void Merge(const BenchCounts& other);
};

// One point: a concurrency or a rate.
struct BenchPoint {
  int64_t load = 0;  // requests in flight, or requests a second
  BenchCounts total;
  int64_t not_sent = 0;  // open loop: arrivals that found max_outstanding requests unanswered
  std::vector<Window> windows;
  bool stable = false;
  bool interrupted = false;  // by the user
  bool given_up = false;     // a whole window without one answer
  absl::Duration client_cpu;
  std::optional<absl::Duration> server_cpu;  // nothing: not known

  double seconds() const;         // of all windows
  int64_t window_images() const;  // answered within the windows
  double images_per_second() const;
  double client_cpu_per_image_micros() const;
  std::optional<double> server_cpu_per_image_micros() const;
  // Nothing was wrong, failed, left out or cut short.
  bool clean() const;
};

}  // namespace digit
