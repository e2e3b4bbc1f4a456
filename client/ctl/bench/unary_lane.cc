#include <grpcpp/alarm.h>
#include <grpcpp/generic/generic_stub.h>

#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "base/threads.h"
#include "client/ctl/bench/lane.h"

namespace digit {
namespace {

const char kMethod[] = "/digit.v1.DigitService/Recognize";

// A place for one call at a time. It belongs to whoever runs it: the queue's thread, or, before Start(), the sender.
struct Call {
  explicit Call(grpc::GenericStub* stub) : stub(stub) {}

  grpc::GenericStub* const stub;
  Ticket ticket;
  std::optional<grpc::ClientContext> context;
  std::unique_ptr<grpc::ClientAsyncResponseReader<grpc::ByteBuffer>> reader;
  grpc::ByteBuffer answer;
  grpc::Status status;
  std::unique_ptr<grpc::Alarm> rest;  // set while the place rests
};

class UnaryLane : public Lane {
 public:
  explicit UnaryLane(const LaneOptions& options) : options_(options) {
    for (const auto& channel : options_.channels) stubs_.push_back(std::make_unique<grpc::GenericStub>(channel));
  }

  ~UnaryLane() override {
    if (thread_.joinable()) thread_.join();
    queue_.Shutdown();
    void* tag;
    bool ok;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  void Start() override {
    for (int i = 0; i < options_.in_flight; ++i) AddCall();
    outstanding_ = options_.in_flight;
    thread_ = StartThread("bench-unary", [this] { Run(); });
  }

  void Send(const Ticket& ticket) override {
    Call* call = nullptr;
    {
      MutexLock lock(&mu_);
      if (free_.empty()) {
        call = AddCall();
      } else {
        call = free_.back();
        free_.pop_back();
      }
    }
    ++outstanding_;
    Begin(call, ticket);
  }

  int64_t outstanding() const override { return outstanding_; }

  void Stop() override {
    stopping_ = true;
    wake_.Set(&queue_, gpr_now(GPR_CLOCK_MONOTONIC), nullptr);  // the thread may have nothing to wait for
  }

  void Cancel() override {
    // Nothing begins after Stop(), so every context stays; cancelling one that has ended does nothing.
    for (const auto& call : calls_) {
      if (call->context.has_value()) call->context->TryCancel();
    }
  }

  bool done() const override { return done_; }

 private:
  Call* AddCall() {
    return calls_.emplace_back(std::make_unique<Call>(stubs_[calls_.size() % stubs_.size()].get())).get();
  }

  void Run() {
    for (int i = 0; i < options_.in_flight; ++i) Begin(calls_[i].get(), options_.tickets->Next(Steady::now()));
    void* tag;
    bool ok;
    while (!(stopping_ && outstanding_ == 0) && queue_.Next(&tag, &ok)) {
      if (tag != nullptr) Handle(static_cast<Call*>(tag));
    }
    done_ = true;
  }

  void Begin(Call* call, const Ticket& ticket) {
    call->ticket = ticket;
    call->context.emplace();
    call->context->set_deadline(std::chrono::system_clock::now() + absl::ToChronoMicroseconds(options_.timeout));
    options_.recorder->Sent(&call->ticket, Steady::now());
    call->reader = call->stub->PrepareUnaryCall(&*call->context, kMethod,
                                                options_.messages->Unary(ticket.message, ticket.timed), &queue_);
    call->reader->StartCall();
    call->reader->Finish(&call->answer, &call->status, call);
  }

  void Handle(Call* call) {
    bool rest = false;
    if (call->rest != nullptr) {
      call->rest.reset();
    } else {
      Record(call);
      rest = call->status.error_code() == grpc::StatusCode::UNAVAILABLE;
    }
    if (options_.in_flight == 0) {
      MutexLock lock(&mu_);
      free_.push_back(call);
      --outstanding_;
    } else if (stopping_) {
      --outstanding_;
    } else if (rest) {
      call->rest = std::make_unique<grpc::Alarm>();
      call->rest->Set(&queue_, std::chrono::system_clock::now() + kRestAfterUnavailable, call);
    } else {
      Begin(call, options_.tickets->Next(Steady::now()));
    }
  }

  void Record(Call* call) {
    const Steady::time_point now = Steady::now();
    if (!call->status.ok()) {
      return options_.recorder->Failed(call->ticket, call->status.error_code(), call->status.error_message());
    }
    if (!grpc::SerializationTraits<v1::RecognizeResponse>::Deserialize(&call->answer, &response_).ok()) {
      return options_.recorder->Failed(call->ticket, grpc::StatusCode::INTERNAL, "the answer cannot be parsed");
    }
    options_.recorder->Answered(call->ticket, response_, now);
  }

  const LaneOptions options_;
  std::vector<std::unique_ptr<grpc::GenericStub>> stubs_;
  grpc::CompletionQueue queue_;
  grpc::Alarm wake_;
  std::atomic<int64_t> outstanding_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> done_ = false;
  v1::RecognizeResponse response_;            // of the queue's thread
  std::vector<std::unique_ptr<Call>> calls_;  // grows in Start() and Send() only
  Mutex mu_;
  std::vector<Call*> free_ ABSL_GUARDED_BY(mu_);  // open loop: places without a call
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Lane> MakeUnaryLane(const LaneOptions& options) { return std::make_unique<UnaryLane>(options); }

}  // namespace digit
