#include "daemon/rpc/recognize_stream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/retry_after.h"
#include "daemon/rpc/codec.h"
#include "daemon/rpc/status_mapping.h"

namespace digit {
namespace {

// The message's own timeout, if any, within the RPC's deadline. INVALID_ARGUMENT unless it is above 0.
absl::StatusOr<SteadyTime> DeadlineOf(const v1::RecognizeStreamRequest& request, SteadyTime rpc_deadline,
                                      SteadyTime now) {
  if (!request.has_timeout()) return rpc_deadline;
  if (request.timeout().nanos() < 0 || request.timeout().nanos() > 999'999'999) {
    return absl::InvalidArgumentError(
        absl::StrCat("timeout.nanos is ", request.timeout().nanos(), ", must be in 0..999999999"));
  }
  const absl::Duration timeout =
      absl::Seconds(request.timeout().seconds()) + absl::Nanoseconds(request.timeout().nanos());
  if (timeout <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError(absl::StrCat("timeout is ", absl::FormatDuration(timeout), ", must be above 0"));
  }
  return std::min(rpc_deadline, now + timeout);
}

void EncodeStreamError(const absl::Status& status, v1::StreamError* error) {
  error->set_code(static_cast<int>(status.code()));
  error->set_message(PublicMessage(status));
  if (const auto retry_after = RetryAfterOf(status)) {
    error->mutable_retry_after()->set_seconds(absl::ToInt64Seconds(*retry_after));
    error->mutable_retry_after()->set_nanos(
        static_cast<int>(absl::ToInt64Nanoseconds(*retry_after % absl::Seconds(1))));
  }
}

}  // namespace

RecognizeStreamReactor::RecognizeStreamReactor(const Options& options, Recognizer* recognizer)
    : options_(options), recognizer_(recognizer), last_active_(options.clock->Now()) {}

void RecognizeStreamReactor::Start() {
  Next next;
  {
    MutexLock lock(&mu_);
    next = Decide();
  }
  Run(next);
}

void RecognizeStreamReactor::OnReadDone(bool ok) {
  StreamSlot* slot = nullptr;
  if (ok) {
    incoming_->bytes = incoming_->request.get()->ByteSizeLong();
    MutexLock lock(&mu_);
    if (finished_) return;
    incoming_->arrived = last_active_ = options_.clock->Now();
    slot = slots_.emplace_back(std::move(incoming_)).get();
    unanswered_bytes_ += slot->bytes;
  }
  if (slot != nullptr) Recognize(slot);  // may answer before it returns
  Next next;
  {
    MutexLock lock(&mu_);
    reading_ = false;
    if (!ok) read_all_ = true;
    next = Decide();
  }
  Run(next);
}

void RecognizeStreamReactor::Recognize(StreamSlot* slot) {
  const v1::RecognizeStreamRequest& request = *slot->request.get();
  absl::StatusOr<RecognizeCall> call = DecodeRecognize(request.request());
  {
    MutexLock lock(&mu_);
    slot->images = call.ok() ? std::max(1, Recognizer::CountImages(*call)) : 1;
    unanswered_images_ += slot->images;
  }
  if (!call.ok()) return Answer(slot, call.status());
  const absl::StatusOr<SteadyTime> deadline = DeadlineOf(request, options_.deadline, options_.clock->Now());
  if (!deadline.ok()) return Answer(slot, deadline.status());
  call->task_class.flow = options_.flow;
  call->cancelled = cancelled_;
  call->deadline = *deadline;
  recognizer_->Recognize(*std::move(call),
                         [this, slot](absl::StatusOr<RecognizeResult> result) { Answer(slot, result); });
}

void RecognizeStreamReactor::Answer(StreamSlot* slot, const absl::StatusOr<RecognizeResult>& result) {
  const v1::RecognizeStreamRequest& request = *slot->request.get();
  v1::RecognizeStreamResponse* response = slot->response.New();
  response->set_id(request.id());
  if (result.ok()) {
    EncodeRecognize(*result, request.request().options(), response->mutable_response());
  } else {
    EncodeStreamError(result.status(), response->mutable_error());
  }
  const absl::Duration took = options_.clock->Now() - slot->arrived;
  if (options_.metrics != nullptr) {
    options_.metrics->CountStreamMessage(static_cast<grpc::StatusCode>(response->error().code()), took);
  }
  if (!options_.peer.empty()) {
    LogInfo(FormatAccessLine({"RecognizeStream", request.request(), options_.peer, took}, result,
                             response->error().message()));
  }
  slot->request.Drop();  // the core is done with it
  Next next;
  {
    MutexLock lock(&mu_);
    slot->answered = true;
    unanswered_bytes_ -= slot->bytes;
    next = Decide();
  }
  Run(next);
}

void RecognizeStreamReactor::OnWriteDone(bool ok) {
  std::unique_ptr<StreamSlot> written;
  Next next;
  {
    MutexLock lock(&mu_);
    writing_ = false;
    written_any_ = true;
    last_active_ = options_.clock->Now();
    if (!ok) broken_ = true;
    written = TakeFirst();
    next = Decide();
  }
  written->response.Drop();
  options_.slots->Give(std::move(written));
  Run(next);
}

void RecognizeStreamReactor::EndIfIdle(SteadyTime since) {
  Next next;
  {
    MutexLock lock(&mu_);
    if (!slots_.empty() || last_active_ > since) return;
    ending_ = true;
    next = Decide();
  }
  Run(next);
}

void RecognizeStreamReactor::End() {
  Next next;
  {
    MutexLock lock(&mu_);
    ending_ = true;
    next = Decide();
  }
  Run(next);
}

std::unique_ptr<StreamSlot> RecognizeStreamReactor::TakeFirst() {
  std::unique_ptr<StreamSlot> first = std::move(slots_.front());
  slots_.pop_front();
  unanswered_images_ -= first->images;
  first->answered = false;
  return first;
}

RecognizeStreamReactor::Next RecognizeStreamReactor::Decide() {
  Next next;
  if (finished_) return next;
  while (broken_ && !writing_ && !slots_.empty() && slots_.front()->answered) TakeFirst();
  if (!writing_ && !slots_.empty() && slots_.front()->answered) {
    writing_ = true;
    next.write = slots_.front()->response.get();
    // Not for the first: it takes the initial metadata along, and gRPC 1.51 completes it only when that was flushed.
    next.more_follows = written_any_ && slots_.size() > 1 && slots_[1]->answered;
  }
  if (!reading_ && !read_all_ && !ending_ && unanswered_images_ < options_.max_unanswered_images &&
      unanswered_bytes_ < options_.max_unanswered_bytes) {
    reading_ = true;
    next.read = true;
  }
  // A read that is under way does not keep a stream that is ending: nothing may ever come. Nor does `this` survive
  // Finish() for long, so nobody may be about to start an operation.
  const bool read_enough = ending_ || (read_all_ && !reading_);
  if (read_enough && slots_.empty() && starting_ == 0) {
    finished_ = true;
    next.finish = true;
    next.read_all = read_all_;
  } else if (next.write != nullptr || next.read) {
    ++starting_;
  }
  return next;
}

// Starts operations outside the lock, as their reactions may run inside: `starting_` keeps the stream alive meanwhile.
void RecognizeStreamReactor::Run(Next next) {
  while (next.write != nullptr || next.read) {
    if (next.write != nullptr) {
      grpc::WriteOptions options;
      if (next.more_follows) options.set_buffer_hint();
      StartWrite(next.write, options);
    }
    if (next.read) {
      incoming_ = options_.slots->Take();
      StartRead(incoming_->request.New());
    }
    MutexLock lock(&mu_);
    --starting_;
    next = Decide();
  }
  if (!next.finish) return;
  Finish(next.read_all
             ? grpc::Status::OK
             : grpc::Status(grpc::StatusCode::UNAVAILABLE, "the server is stopping; send again what has no answer"));
}

}  // namespace digit
