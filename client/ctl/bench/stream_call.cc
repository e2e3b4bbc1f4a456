#include "client/ctl/bench/stream_call.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace digit {
namespace {

const char kMethod[] = "/digit.v1.DigitService/RecognizeStream";
// The server itself answers what ran out of time; only one that does not even do that is ended here.
constexpr absl::Duration kGrace = absl::Seconds(1);

}  // namespace

StreamCall::StreamCall(const std::shared_ptr<grpc::Channel>& channel, grpc::CompletionQueue* queue,
                       const LaneOptions& options, int in_flight, std::atomic<int64_t>* outstanding)
    : options_(options), in_flight_(in_flight), outstanding_(outstanding), queue_(queue), stub_(channel) {
  for (int i = 0; i < 6; ++i) tags_[i] = {this, static_cast<Op>(i)};
}

void StreamCall::Open() {
  MutexLock lock(&mu_);
  OpenLocked();
}

void StreamCall::OpenLocked() {
  state_ = State::kOpening;
  half_closed_ = late_ = false;
  stream_.reset();
  context_.emplace();
  stream_ = stub_.PrepareCall(&*context_, kMethod, queue_);
  stream_->StartCall(TagOf(Op::kStart));
  for (int i = 0; i < in_flight_; ++i) AddNext();
}

void StreamCall::Send(const Ticket& ticket) {
  MutexLock lock(&mu_);
  ++*outstanding_;
  waiting_.push_back(ticket);
  options_.recorder->Sent(&waiting_.back(), Steady::now());
  WriteNext();
}

void StreamCall::AddNext() {
  const Steady::time_point now = Steady::now();
  waiting_.push_back(options_.tickets->Next(now));
  ++*outstanding_;
  options_.recorder->Sent(&waiting_.back(), now);
}

void StreamCall::WriteNext() {
  if (state_ != State::kOpen || writing_ || half_closed_) return;
  if (!waiting_.empty()) {
    const Ticket ticket = waiting_.front();
    waiting_.pop_front();
    unanswered_.push_back({ticket, next_id_});
    writing_ = true;
    stream_->Write(options_.messages->Streamed(ticket.message, ticket.timed, next_id_++), TagOf(Op::kWrite));
  } else if (stopping_ && unanswered_.empty()) {
    half_closed_ = true;
    stream_->WritesDone(TagOf(Op::kWritesDone));
  }
}

void StreamCall::Handle(Op op, bool ok) {
  MutexLock lock(&mu_);
  switch (op) {
    case Op::kStart:
    case Op::kRead:
      if (ok && op == Op::kRead) Accept();
      if (ok) {
        state_ = State::kOpen;
        stream_->Read(&incoming_, TagOf(Op::kRead));
        WriteNext();
      } else {
        state_ = State::kFinishing;
        stream_->Finish(&status_, TagOf(Op::kFinish));
      }
      break;
    case Op::kWrite:
      writing_ = false;
      if (ok) WriteNext();  // else the read fails too, and tells the status
      if (state_ == State::kBroken) RestOrClose();
      break;
    case Op::kWritesDone:
      break;
    case Op::kFinish:
      Finished();
      break;
    case Op::kReopen:
      if (stopping_) {
        FailAll(grpc::StatusCode::UNAVAILABLE, "the stream was broken");
        state_ = State::kClosed;
      } else {
        OpenLocked();
      }
      break;
  }
}

void StreamCall::Accept() {
  const Steady::time_point now = Steady::now();
  if (!grpc::SerializationTraits<v1::RecognizeStreamResponse>::Deserialize(&incoming_, &response_).ok()) {
    response_.Clear();
    response_.mutable_error()->set_code(grpc::StatusCode::INTERNAL);
    response_.mutable_error()->set_message("the answer cannot be parsed");
    if (!unanswered_.empty()) response_.set_id(unanswered_.front().id);
  }
  if (unanswered_.empty() || unanswered_.front().id != response_.id()) {
    return options_.recorder->Misplaced(
        absl::StrCat("an answer with id ", response_.id(), " where ",
                     unanswered_.empty() ? "none" : absl::StrCat(unanswered_.front().id), " was expected"));
  }
  const Ticket ticket = unanswered_.front().ticket;
  unanswered_.pop_front();
  --*outstanding_;
  if (response_.has_response()) {
    options_.recorder->Answered(ticket, response_.response(), now);
  } else {
    const int code = response_.error().code();
    options_.recorder->Failed(ticket, code == 0 ? static_cast<int>(grpc::StatusCode::UNKNOWN) : code,
                              response_.error().message());
  }
  if (in_flight_ > 0 && !stopping_) AddNext();
}

void StreamCall::Finished() {
  int code = status_.error_code();
  std::string message = status_.error_message();
  if (late_) {
    code = grpc::StatusCode::DEADLINE_EXCEEDED;
    message = "no answer within the timeout";
  } else if (status_.ok()) {
    code = grpc::StatusCode::UNAVAILABLE;
    message = "the server ended the stream early";
  }
  FailAll(code, message);
  state_ = State::kBroken;
  RestOrClose();
}

void StreamCall::FailAll(int code, const std::string& message) {
  for (const Unanswered& one : unanswered_) options_.recorder->Failed(one.ticket, code, message);
  for (const Ticket& ticket : waiting_) options_.recorder->Failed(ticket, code, message);
  *outstanding_ -= static_cast<int64_t>(unanswered_.size() + waiting_.size());
  unanswered_.clear();
  waiting_.clear();
}

void StreamCall::RestOrClose() {
  if (writing_) return;  // its event comes first: the stream must stay until then
  if (stopping_) {
    state_ = State::kClosed;
  } else {
    state_ = State::kOpening;  // what is sent meanwhile waits
    rest_.Set(queue_, std::chrono::system_clock::now() + kRestAfterUnavailable, TagOf(Op::kReopen));
  }
}

void StreamCall::EndIfLate(Steady::time_point now) {
  MutexLock lock(&mu_);
  if (late_ || (unanswered_.empty() && waiting_.empty())) return;
  const Ticket& oldest = unanswered_.empty() ? waiting_.front() : unanswered_.front().ticket;
  if (now - oldest.due < absl::ToChronoNanoseconds(options_.timeout + kGrace)) return;
  late_ = true;
  context_->TryCancel();
}

void StreamCall::Stop() {
  MutexLock lock(&mu_);
  stopping_ = true;
  WriteNext();
}

void StreamCall::Cancel() {
  MutexLock lock(&mu_);
  if (context_.has_value()) context_->TryCancel();
}

bool StreamCall::closed() const {
  MutexLock lock(&mu_);
  return state_ == State::kClosed;
}

}  // namespace digit
