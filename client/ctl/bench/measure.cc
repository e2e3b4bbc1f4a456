#include "client/ctl/bench/measure.h"

#include <algorithm>
#include <thread>

#include "base/status.h"

namespace digit {
namespace {

constexpr std::chrono::milliseconds kPoll(20);  // how soon Ctrl-C is heard

class Measurement {
 public:
  Measurement(const MeasureOptions& options, Load* load) : options_(options), bench_(options.load.bench), load_(load) {
    point_.load = options.load.load;
  }

  BenchPoint Run() {
    SleepUntil(Steady::now() + absl::ToChronoNanoseconds(bench_.warmup));
    StartCounting();
    const Steady::time_point end = window_start_ + absl::ToChronoNanoseconds(bench_.duration);
    while (!*options_.interrupted && !point_.stable && !point_.given_up && window_start_ < end) {
      SleepUntil(std::min(window_start_ + absl::ToChronoNanoseconds(bench_.window), end));
      EndWindow();
    }
    ReadCpu(+1);
    point_.interrupted = *options_.interrupted;
    load_->Stop(point_.interrupted ? absl::Seconds(1) : options_.load.timeout + absl::Seconds(2));
    BenchCounts late = Take();
    late.images = 0;  // after the last window
    point_.total.Merge(late);
    return std::move(point_);
  }

 private:
  void SleepUntil(Steady::time_point end) {
    while (!*options_.interrupted && Steady::now() < end) {
      std::this_thread::sleep_until(std::min(end, Steady::now() + kPoll));
      load_->EndLate();
    }
  }

  void StartCounting() {
    load_->StartCounting();
    ReadCpu(-1);
    BenchCounts first = Take();
    first.images = 0;  // of the warm-up
    point_.total.Merge(first);
    window_start_ = Steady::now();
  }

  void EndWindow() {
    const BenchCounts counts = Take();
    const Steady::time_point now = Steady::now();
    Window window{std::chrono::duration<double>(now - window_start_).count(), counts.images,
                  counts.latency.Quantile(0.5)};
    window_start_ = now;
    if (*options_.interrupted && window.seconds * 10 < absl::ToDoubleSeconds(bench_.window) &&
        !point_.windows.empty()) {
      Window& last = point_.windows.back();  // a sliver is no window of its own
      last.seconds += window.seconds;
      last.images += window.images;
    } else {
      point_.windows.push_back(window);
    }
    point_.total.Merge(counts);
    point_.stable = IsStable(point_.windows, bench_.stable);
    point_.given_up = counts.images == 0 && counts.errors > 0;
    if (options_.on_window) options_.on_window(window);
  }

  BenchCounts Take() {
    int64_t not_sent = 0;
    BenchCounts counts = load_->Take(&not_sent);
    point_.not_sent += not_sent;
    return counts;
  }

  // Adds (+1) or takes off (-1) what the two sides have used so far.
  void ReadCpu(int sign) {
    point_.client_cpu += sign * OwnCpuTime();
    const std::optional<absl::Duration> server =
        options_.server.has_value() ? CpuTimeOf(options_.server->pid) : std::nullopt;
    if (sign < 0) {
      point_.server_cpu = server.has_value() ? std::optional<absl::Duration>(-*server) : std::nullopt;
    } else {
      point_.server_cpu = server.has_value() && point_.server_cpu.has_value()
                              ? std::optional<absl::Duration>(*point_.server_cpu + *server)
                              : std::nullopt;
    }
  }

  const MeasureOptions& options_;
  const BenchOptions& bench_;
  Load* const load_;
  Steady::time_point window_start_;
  BenchPoint point_;
};

}  // namespace

absl::StatusOr<BenchPoint> Measure(const MeasureOptions& options, const MessageSet& messages,
                                   const AnswerCheck& check) {
  Load load(options.load, messages, check);
  RETURN_IF_ERROR(load.Start());
  return Measurement(options, &load).Run();
}

}  // namespace digit
