#include "client/ctl/bench/load.h"

#include <sys/prctl.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "base/threads.h"
#include "client/ctl/bench/arrivals.h"
#include "client/lib/server_address.h"

namespace digit {
namespace {

constexpr int kMaxResponseBytes = 64 << 20;
constexpr absl::Duration kStopPoll = absl::Milliseconds(2);

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& server) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // else all channels share one connection
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);             // an error is a finding
  arguments.SetMaxReceiveMessageSize(kMaxResponseBytes);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  const absl::StatusOr<ServerAddress> address = ParseServerAddress(server);
  if (address.ok() && IsLoopback(address->host)) arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(server, grpc::InsecureChannelCredentials(), arguments);
}

// Part `i` of `total` cut into `parts` as even as can be.
int Share(int64_t total, int parts, int i) { return static_cast<int>(total / parts + (i < total % parts ? 1 : 0)); }

}  // namespace

Load::Load(const LoadOptions& options, const MessageSet& messages, const AnswerCheck& check)
    : options_(options), tickets_(messages) {
  // gRPC's locks are Abseil's; Debian builds it with deadlock detection on, which takes 3 % of our time.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  const bool open = options.bench.open_loop();
  const bool stream = options.bench.mode == BenchMode::kStream;
  const int64_t useful = open ? options.bench.max_outstanding : options.load;  // more could not be busy
  const int connections = static_cast<int>(std::min<int64_t>(options.bench.connections, useful));
  const int streams = stream ? static_cast<int>(std::min<int64_t>(options.bench.streams, useful)) : connections;
  const int lanes = std::min({options.threads, connections, streams});
  for (int i = 0; i < connections; ++i) channels_.push_back(MakeChannel(options.server));
  for (int i = 0; i < lanes; ++i) {
    LaneOptions lane;
    for (int c = i; c < connections; c += lanes) lane.channels.push_back(channels_[c]);
    recorders_.push_back(std::make_unique<Recorder>(messages, check));
    lane.messages = &messages;
    lane.tickets = &tickets_;
    lane.recorder = recorders_.back().get();
    lane.timeout = options.timeout;
    lane.in_flight = open ? 0 : Share(options.load, lanes, i);
    lane.streams = Share(streams, lanes, i);
    lanes_.push_back(stream ? MakeStreamLane(lane) : MakeUnaryLane(lane));
  }
}

Load::~Load() { Stop(absl::ZeroDuration()); }

absl::Status Load::Start() {
  const auto deadline = std::chrono::system_clock::now() + absl::ToChronoMicroseconds(options_.timeout);
  for (const auto& channel : channels_) channel->GetState(/*try_to_connect=*/true);
  for (const auto& channel : channels_) {
    if (!channel->WaitForConnected(deadline)) {
      return absl::UnavailableError(absl::StrCat("cannot reach ", options_.server, ": no ", channels_.size(),
                                                 " connections within ", absl::FormatDuration(options_.timeout)));
    }
  }
  stopped_ = false;
  for (const auto& lane : lanes_) lane->Start();
  if (options_.bench.open_loop()) pacer_ = StartThread("bench-pacer", [this] { Pace(); });
  return absl::OkStatus();
}

void Load::Pace() {
  prctl(PR_SET_TIMERSLACK, 1);  // nanoseconds; the default, 50 us, is added to every sleep
  PoissonArrivals arrivals(static_cast<double>(options_.load), options_.bench.seed);
  const Steady::time_point start = Steady::now();
  for (int64_t n = 0;; ++n) {
    const Steady::time_point due = start + absl::ToChronoNanoseconds(arrivals.Next());
    // In short sleeps, so that a slow rate does not hold up the end.
    while (!stopping_ && Steady::now() < due) {
      std::this_thread::sleep_until(std::min(due, Steady::now() + std::chrono::milliseconds(50)));
    }
    if (stopping_) return;
    int64_t outstanding = 0;
    for (const auto& lane : lanes_) outstanding += lane->outstanding();
    if (outstanding < options_.bench.max_outstanding) {
      lanes_[n % lanes_.size()]->Send(tickets_.Next(due));
    } else if (due.time_since_epoch().count() >= count_from_) {
      ++not_sent_;
    }
  }
}

void Load::StartCounting() {
  const Steady::time_point now = Steady::now();
  count_from_ = now.time_since_epoch().count();
  for (const auto& recorder : recorders_) recorder->CountFrom(now);
}

BenchCounts Load::Take(int64_t* not_sent) {
  BenchCounts counts;
  for (const auto& recorder : recorders_) counts.Merge(recorder->Take());
  *not_sent = not_sent_.exchange(0);
  return counts;
}

void Load::EndLate() {
  for (const auto& lane : lanes_) lane->EndLate();
}

void Load::Stop(absl::Duration grace) {
  if (std::exchange(stopped_, true)) return;
  stopping_ = true;
  if (pacer_.joinable()) pacer_.join();
  for (const auto& lane : lanes_) lane->Stop();
  const auto all_done = [this] {
    return std::all_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->done(); });
  };
  bool cancelled = false;
  for (const absl::Time cancel_at = absl::Now() + grace; !all_done(); absl::SleepFor(kStopPoll)) {
    EndLate();
    if (cancelled || absl::Now() < cancel_at) continue;
    cancelled = true;
    for (const auto& lane : lanes_) lane->Cancel();
  }
}

}  // namespace digit
