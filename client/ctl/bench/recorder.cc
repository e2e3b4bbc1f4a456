#include "client/ctl/bench/recorder.h"

#include <algorithm>
#include <utility>

namespace digit {
namespace {

constexpr size_t kMaxWrongSamples = 5;

absl::Duration Since(Steady::time_point start, Steady::time_point now) { return absl::FromChrono(now - start); }

void AddTimes(const v1::Timing& timing, absl::Duration latency, ServerTimes* times) {
  ++times->requests;
  times->decode += absl::Microseconds(timing.decode_micros());
  times->queue += absl::Microseconds(timing.queue_micros());
  times->max_queue = std::max(times->max_queue, absl::Microseconds(timing.queue_micros()));
  times->compute += absl::Microseconds(timing.compute_micros());
  times->batch_images += timing.batch_size();
  times->latency += latency;
}

}  // namespace

void Recorder::Sent(Ticket* ticket, Steady::time_point now) {
  ticket->counted = ticket->due.time_since_epoch().count() >= count_from_;
  if (!ticket->counted) return;
  MutexLock lock(&mu_);
  ++counts_.sent;
  counts_.send_delay.Add(Since(ticket->due, now));
}

void Recorder::Answered(const Ticket& ticket, const v1::RecognizeResponse& response, Steady::time_point now) {
  const CheckedAnswer checked = check_.Check(messages_, ticket.message, response);
  if (checked.code != 0) return Failed(ticket, checked.code, checked.message, now);
  MutexLock lock(&mu_);
  counts_.images += messages_.images_per_message();
  if (checked.wrong) AddWrong(checked.message);  // also before counting began: there is no excuse for it
  if (!ticket.counted) return;
  const absl::Duration latency = Since(ticket.due, now);
  ++counts_.answers;
  counts_.latency.Add(latency);
  counts_.labelled += checked.labelled;
  counts_.right += checked.right;
  if (response.has_timing()) AddTimes(response.timing(), latency, &counts_.server);
}

void Recorder::Failed(const Ticket& ticket, int code, const std::string& message, Steady::time_point now) {
  if (!ticket.counted) return;
  MutexLock lock(&mu_);
  ++counts_.errors;
  ++counts_.errors_by_code[code];
  counts_.error_latency.Add(Since(ticket.due, now));
  if (counts_.first_error.empty()) counts_.first_error = message;
}

void Recorder::Misplaced(const std::string& what) {
  MutexLock lock(&mu_);
  AddWrong(what);
}

void Recorder::AddWrong(const std::string& what) {
  ++counts_.wrong;
  if (counts_.wrong_samples.size() < kMaxWrongSamples) counts_.wrong_samples.push_back(what);
}

BenchCounts Recorder::Take() {
  BenchCounts taken;
  MutexLock lock(&mu_);
  std::swap(taken, counts_);
  return taken;
}

}  // namespace digit
