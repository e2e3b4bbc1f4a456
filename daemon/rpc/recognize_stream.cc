#include "daemon/rpc/recognize_stream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
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

}  // namespace

RecognizeStreamReactor::RecognizeStreamReactor(const Options& options, Recognizer* recognizer)
    : options_(options), recognizer_(recognizer), last_active_(options.clock->Now()) {}

void RecognizeStreamReactor::OnReadDone(bool ok) {
  Slot* slot = nullptr;
  if (ok) {
    auto owned = std::make_unique<Slot>();
    slot = owned.get();
    slot->request = std::move(incoming_);
    incoming_.Clear();
    MutexLock lock(&mu_);
    if (finished_) return;
    last_active_ = options_.clock->Now();
    slots_.push_back(std::move(owned));
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

void RecognizeStreamReactor::Recognize(Slot* slot) {
  RecognizeCall call = DecodeRecognize(slot->request.request());
  slot->response.set_id(slot->request.id());
  slot->weight = std::max(1, Recognizer::CountImages(call));
  {
    MutexLock lock(&mu_);
    unanswered_ += slot->weight;
  }
  call.task_class.flow = options_.flow;
  call.cancelled = cancelled_;
  const absl::StatusOr<SteadyTime> deadline = DeadlineOf(slot->request, options_.deadline, options_.clock->Now());
  if (!deadline.ok()) return Answer(slot, deadline.status());
  call.deadline = *deadline;
  recognizer_->Recognize(std::move(call),
                         [this, slot](absl::StatusOr<RecognizeResult> result) { Answer(slot, std::move(result)); });
}

void RecognizeStreamReactor::Answer(Slot* slot, absl::StatusOr<RecognizeResult> result) {
  if (result.ok()) {
    EncodeRecognize(*result, slot->request.request().options(), slot->response.mutable_response());
  } else {
    v1::StreamError* error = slot->response.mutable_error();
    error->set_code(static_cast<int>(result.status().code()));
    error->set_message(PublicMessage(result.status()));
    if (const auto retry_after = RetryAfterOf(result.status())) {
      error->mutable_retry_after()->set_seconds(absl::ToInt64Seconds(*retry_after));
      error->mutable_retry_after()->set_nanos(
          static_cast<int>(absl::ToInt64Nanoseconds(*retry_after % absl::Seconds(1))));
    }
  }
  Next next;
  {
    MutexLock lock(&mu_);
    slot->answered = true;
    next = Decide();
  }
  Run(next);
}

void RecognizeStreamReactor::OnWriteDone(bool ok) {
  Next next;
  {
    MutexLock lock(&mu_);
    writing_ = false;
    last_active_ = options_.clock->Now();
    if (!ok) broken_ = true;
    unanswered_ -= slots_.front()->weight;
    slots_.pop_front();
    next = Decide();
  }
  Run(next);
}

void RecognizeStreamReactor::EndIfIdle(SteadyTime since) {
  {
    MutexLock lock(&mu_);
    if (finished_ || !slots_.empty() || last_active_ > since) return;
    finished_ = true;
  }
  Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the server is stopping; nothing was unanswered"));
}

void RecognizeStreamReactor::OnDone() {
  if (options_.on_done) options_.on_done(this);
  delete this;
}

RecognizeStreamReactor::Next RecognizeStreamReactor::Decide() {
  Next next;
  if (finished_) return next;
  while (broken_ && !writing_ && !slots_.empty() && slots_.front()->answered) {
    unanswered_ -= slots_.front()->weight;
    slots_.pop_front();
  }
  if (!writing_ && !slots_.empty() && slots_.front()->answered) {
    writing_ = true;
    next.write = &slots_.front()->response;
  }
  if (!reading_ && !read_all_ && unanswered_ < options_.max_unanswered_images) {
    reading_ = true;
    next.read = true;
  }
  if (!reading_ && read_all_ && slots_.empty()) {
    finished_ = true;
    next.finish = true;
  }
  return next;
}

// Started outside the lock. When `finish` is set nothing else is under way, so `this` may be gone right after Finish().
void RecognizeStreamReactor::Run(const Next& next) {
  if (next.write != nullptr) StartWrite(next.write);
  if (next.read) StartRead(&incoming_);
  if (next.finish) Finish(grpc::Status::OK);
}

}  // namespace digit
