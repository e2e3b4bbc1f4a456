// Load on a server: lanes, and the clock of an open loop.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "client/ctl/bench/answer_check.h"
#include "client/ctl/bench/lane.h"
#include "client/ctl/bench/messages.h"
#include "client/ctl/bench/options.h"
#include "client/ctl/bench/recorder.h"

namespace digit {

struct LoadOptions {
  std::string server;
  absl::Duration timeout;
  int threads = 1;
  int64_t load = 0;  // requests in flight, or a second
  BenchOptions bench;
};

class Load {
 public:
  // `messages` and `check` must outlive the load.
  Load(const LoadOptions& options, const MessageSet& messages, const AnswerCheck& check);
  ~Load();  // stops, cancels and waits

  // Blocks until the connections stand. UNAVAILABLE after the timeout. Then the load runs, uncounted.
  absl::Status Start();
  // Counts requests that are due from now on. What the next Take() gives may hold some of them already, with all images
  // answered before.
  void StartCounting();
  // Since the last call; not_sent as in BenchPoint.
  BenchCounts Take(int64_t* not_sent);
  // Call now and then.
  void EndLate();
  // Sends no more and waits for answers; after `grace` what is left is cancelled.
  void Stop(absl::Duration grace);

 private:
  void Pace();  // the open loop's thread

  const LoadOptions options_;
  std::vector<std::shared_ptr<grpc::Channel>> channels_;
  TicketSource tickets_;
  std::vector<std::unique_ptr<Recorder>> recorders_;  // one a lane, so that lanes do not wait for each other
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::atomic<Steady::rep> count_from_ = Steady::time_point::max().time_since_epoch().count();
  std::atomic<int64_t> not_sent_ = 0;
  std::atomic<bool> stopping_ = false;
  bool stopped_ = true;
  std::thread pacer_;
};

}  // namespace digit
