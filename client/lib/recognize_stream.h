// One Client::RecognizeStream, over as many connections as it takes. Internal to client/lib; the contract is there.
//
// A single thread, the caller's, does it all: it polls a completion queue, pulls requests while the window has room,
// writes one at a time, and hands out answers from the front of the window. So there is no lock, and the callbacks
// never run at the same time. Requests stay in the window until answered, because overload or a broken connection may
// send them again.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <deque>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/lib/client.h"

namespace digit {

class RecognizeStreamCall {
 public:
  // All must outlive Run(), which is called once.
  RecognizeStreamCall(v1::DigitService::Stub* stub, grpc::Channel* channel, const ClientOptions& client,
                      const StreamOptions& options, const Client::NextRequest& next, const Client::OnAnswer& on_answer);

  absl::Status Run();

 private:
  using Steady = std::chrono::steady_clock;  // wall time may jump while a long stream runs

  enum class State { kWaiting, kSent, kDone };  // to be sent when due; unanswered; answered, not yet handed out

  struct Item {
    State state = State::kWaiting;
    v1::RecognizeStreamRequest message;  // its id is front_id_ + its place in window_
    int64_t bytes = 0;
    int attempts = 0;
    Steady::time_point due;      // when kWaiting
    Steady::time_point give_up;  // no further attempt after this
    absl::StatusOr<v1::RecognizeResponse> answer = absl::UnknownError("unanswered");
  };

  // One connection: its context, queue and the operations that are under way.
  struct Connection {
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    std::unique_ptr<grpc::ClientAsyncReaderWriter<v1::RecognizeStreamRequest, v1::RecognizeStreamResponse>> stream;
    v1::RecognizeStreamResponse incoming;
    grpc::Status status;
    bool started = false, writing = false, half_closed = false, finished = false;

    ~Connection();  // cancels what is under way and waits for it
  };

  // Until the stream ends (its status) or the caller ends it (CANCELLED, with stopped_ set).
  absl::Status RunConnection();
  // Starts at most one write, or closes our side when all is answered.
  void SendSome(Connection* connection);
  // The item to send now: one that is due again, else a new one; nullptr: none.
  Item* NextToSend();
  bool HasRoom() const;
  void Accept(v1::RecognizeStreamResponse* message);
  // Whether the item got an answer that a later attempt may better; then it waits for its turn.
  bool ScheduleRetry(Item* item, const v1::RecognizeStreamResponse& message);
  // Hands out answers that are next in order.
  void Deliver();
  void HandleEvent(Connection* connection, void* tag, bool ok);
  // The next moment at which something is to be done without an event.
  Steady::time_point NextDeadline() const;
  bool all_answered() const { return exhausted_ && window_.empty(); }

  v1::DigitService::Stub* const stub_;
  grpc::Channel* const channel_;
  const ClientOptions& client_;
  const StreamOptions& options_;
  const Client::NextRequest& next_;
  const Client::OnAnswer& on_answer_;

  std::deque<Item> window_;  // in request order
  uint64_t front_id_ = 0;    // of window_.front()
  int64_t window_bytes_ = 0;
  int sent_ = 0;                      // items in state kSent
  bool exhausted_ = false;            // next_ gave nullopt
  bool stopped_ = false;              // on_answer_ gave false
  bool progress_ = false;             // this connection answered something
  Steady::time_point last_progress_;  // or the moment when something began to wait for an answer
};

}  // namespace digit
