#include "client/lib/recognize_stream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/lib/call_status.h"

namespace digit {
namespace {

constexpr int kMaxFruitlessConnections = 4;
constexpr absl::Duration kFirstBackoff = absl::Milliseconds(50);
constexpr absl::Duration kMaxBackoff = absl::Seconds(1);
// The server answers a request that ran out of time; only a server that does not even do that is given up.
constexpr absl::Duration kGrace = absl::Milliseconds(500);

enum Tag : intptr_t { kStart, kRead, kWrite, kWritesDone, kFinish };
void* AsPointer(Tag tag) { return reinterpret_cast<void*>(tag); }  // NOLINT(performance-no-int-to-ptr): gRPC's tags

absl::Duration Backoff(int attempts) { return std::min(kFirstBackoff * (1 << std::min(attempts, 10)), kMaxBackoff); }

absl::Duration ToAbsl(const google::protobuf::Duration& d) {
  return absl::Seconds(d.seconds()) + absl::Nanoseconds(d.nanos());
}

bool AllOverloaded(const v1::RecognizeResponse& response) {
  if (response.results().empty()) return false;
  return std::all_of(response.results().begin(), response.results().end(), [](const v1::Result& result) {
    return result.has_error() && result.error().reason() == v1::ERROR_REASON_OVERLOADED;
  });
}

}  // namespace

RecognizeStreamCall::Connection::~Connection() {
  context.TryCancel();
  queue.Shutdown();
  void* tag;
  bool ok;
  while (queue.Next(&tag, &ok)) {
  }
}

RecognizeStreamCall::RecognizeStreamCall(v1::DigitService::Stub* stub, grpc::Channel* channel,
                                         const ClientOptions& client, const StreamOptions& options,
                                         const Client::NextRequest& next, const Client::OnAnswer& on_answer)
    : stub_(stub), channel_(channel), client_(client), options_(options), next_(next), on_answer_(on_answer) {}

absl::Status RecognizeStreamCall::Run() {
  if (options_.max_unanswered < 1) return absl::InvalidArgumentError("max_unanswered must be at least 1");
  for (int fruitless = 0;;) {
    progress_ = false;
    absl::Status status = RunConnection();
    if (stopped_) return absl::CancelledError("the caller ended the stream");
    if (all_answered()) return absl::OkStatus();
    fruitless = progress_ ? 0 : fruitless + 1;
    if (status.ok()) status = absl::UnavailableError(absl::StrCat(client_.server, " ended the stream early"));
    const bool server_left = absl::IsUnavailable(status) || absl::IsCancelled(status);  // the second: see client.cc
    if (!server_left || fruitless >= kMaxFruitlessConnections) return status;
    for (Item& item : window_) {
      if (item.state == State::kSent) item.state = State::kWaiting;  // due is past
    }
    sent_ = 0;
    absl::SleepFor(Backoff(fruitless));
  }
}

absl::Status RecognizeStreamCall::RunConnection() {
  Connection connection;
  last_progress_ = Steady::now();
  connection.stream = stub_->AsyncRecognizeStream(&connection.context, &connection.queue, AsPointer(kStart));
  while (!connection.finished && !stopped_) {
    if (connection.started && !connection.writing) SendSome(&connection);
    if (stopped_) break;
    const Steady::time_point deadline = NextDeadline();
    void* tag;
    bool ok;
    switch (connection.queue.AsyncNext(&tag, &ok, std::chrono::system_clock::now() + (deadline - Steady::now()))) {
      case grpc::CompletionQueue::GOT_EVENT:
        HandleEvent(&connection, tag, ok);
        break;
      case grpc::CompletionQueue::TIMEOUT:
        if (Steady::now() - last_progress_ >= absl::ToChronoNanoseconds(client_.timeout + kGrace) &&
            (sent_ > 0 || !connection.started || connection.half_closed)) {
          const bool connected = channel_->GetState(false) == GRPC_CHANNEL_READY;
          return ToClientStatus({grpc::StatusCode::DEADLINE_EXCEEDED, ""}, client_.server, client_.timeout, connected);
        }
        break;
      case grpc::CompletionQueue::SHUTDOWN:
        return absl::InternalError("the completion queue ended before the stream");
    }
  }
  return ToClientStatus(connection.status, client_.server, client_.timeout, /*connected=*/true);
}

void RecognizeStreamCall::HandleEvent(Connection* connection, void* tag, bool ok) {
  switch (static_cast<Tag>(reinterpret_cast<intptr_t>(tag))) {
    case kStart:
      connection->started = ok;
      if (ok) {
        connection->stream->Read(&connection->incoming, AsPointer(kRead));
      } else {
        connection->stream->Finish(&connection->status, AsPointer(kFinish));
      }
      break;
    case kRead:
      if (ok) {
        Accept(&connection->incoming);
        connection->stream->Read(&connection->incoming, AsPointer(kRead));
      } else {
        connection->started = false;  // no more writes
        connection->stream->Finish(&connection->status, AsPointer(kFinish));
      }
      break;
    case kWrite:
      connection->writing = !ok;  // after a failure the read fails too, and tells the status
      break;
    case kWritesDone:
      break;
    case kFinish:
      connection->finished = true;
      break;
  }
}

void RecognizeStreamCall::SendSome(Connection* connection) {
  if (connection->half_closed) return;
  if (Item* item = NextToSend()) {
    if (sent_ == 0) last_progress_ = Steady::now();
    item->state = State::kSent;
    ++sent_;
    connection->writing = true;
    connection->stream->Write(item->message, AsPointer(kWrite));
  } else if (!stopped_ && all_answered()) {
    connection->half_closed = true;
    last_progress_ = Steady::now();
    connection->stream->WritesDone(AsPointer(kWritesDone));
  }
}

RecognizeStreamCall::Item* RecognizeStreamCall::NextToSend() {
  const Steady::time_point now = Steady::now();
  for (Item& item : window_) {
    if (item.state == State::kWaiting && item.due <= now) return &item;
  }
  while (!exhausted_ && !stopped_ && HasRoom()) {
    std::optional<absl::StatusOr<v1::RecognizeRequest>> request = next_();
    if (!request.has_value()) {
      exhausted_ = true;
      return nullptr;
    }
    Item& item = window_.emplace_back();
    if (!request->ok()) {
      item.state = State::kDone;
      item.answer = request->status();
      Deliver();
      continue;
    }
    item.message.set_id(front_id_ + window_.size() - 1);
    *item.message.mutable_request() = **std::move(request);
    const int64_t nanos = absl::ToInt64Nanoseconds(client_.timeout);
    item.message.mutable_timeout()->set_seconds(nanos / 1'000'000'000);
    item.message.mutable_timeout()->set_nanos(static_cast<int32_t>(nanos % 1'000'000'000));
    item.bytes = static_cast<int64_t>(item.message.ByteSizeLong());
    window_bytes_ += item.bytes;
    item.due = now;
    item.give_up = Steady::now() + absl::ToChronoNanoseconds(client_.timeout);
    return &item;
  }
  return nullptr;
}

bool RecognizeStreamCall::HasRoom() const {
  return window_.size() < static_cast<size_t>(options_.max_unanswered) && window_bytes_ < options_.max_unanswered_bytes;
}

void RecognizeStreamCall::Accept(v1::RecognizeStreamResponse* message) {
  const uint64_t place = message->id() - front_id_;  // wraps to something large for an id already handed out
  if (place >= window_.size() || window_[place].state != State::kSent) return;  // not of this client's asking
  Item& item = window_[place];
  --sent_;
  progress_ = true;
  if (!ScheduleRetry(&item, *message)) {
    item.state = State::kDone;
    if (message->has_response()) {
      item.answer = std::move(*message->mutable_response());
    } else {
      const grpc::Status error(static_cast<grpc::StatusCode>(message->error().code()), message->error().message());
      item.answer = ToClientStatus(error, client_.server, client_.timeout, /*connected=*/true);
    }
    Deliver();
  }
  last_progress_ = Steady::now();
}

bool RecognizeStreamCall::ScheduleRetry(Item* item, const v1::RecognizeStreamResponse& message) {
  absl::Duration wait = Backoff(item->attempts);
  if (message.has_response()) {
    if (!AllOverloaded(message.response())) return false;
  } else if (message.error().code() == grpc::StatusCode::RESOURCE_EXHAUSTED && message.error().has_retry_after()) {
    wait = std::max(ToAbsl(message.error().retry_after()), absl::ZeroDuration());
  } else if (message.error().code() != grpc::StatusCode::UNAVAILABLE) {
    return false;
  }
  if (wait > client_.timeout) return false;  // also keeps the sum below in range
  const Steady::time_point due = Steady::now() + absl::ToChronoNanoseconds(wait);
  if (due >= item->give_up) return false;
  ++item->attempts;
  item->state = State::kWaiting;
  item->due = due;
  return true;
}

void RecognizeStreamCall::Deliver() {
  while (!stopped_ && !window_.empty() && window_.front().state == State::kDone) {
    Item item = std::move(window_.front());
    window_.pop_front();
    window_bytes_ -= item.bytes;
    ++front_id_;
    stopped_ = !on_answer_(std::move(item.answer));
  }
}

RecognizeStreamCall::Steady::time_point RecognizeStreamCall::NextDeadline() const {
  Steady::time_point deadline = last_progress_ + absl::ToChronoNanoseconds(client_.timeout + kGrace);
  for (const Item& item : window_) {
    if (item.state == State::kWaiting) deadline = std::min(deadline, item.due);
  }
  // Not in the past by much: a write under way may keep a due item from being sent, and its end is an event anyway.
  return std::max(deadline, Steady::now() + std::chrono::milliseconds(1));
}

}  // namespace digit
