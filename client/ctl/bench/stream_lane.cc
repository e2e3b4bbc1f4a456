#include <algorithm>
#include <thread>
#include <utility>

#include "base/threads.h"
#include "client/ctl/bench/lane.h"
#include "client/ctl/bench/stream_call.h"

namespace digit {
namespace {

class StreamLane : public Lane {
 public:
  explicit StreamLane(const LaneOptions& options) : options_(options) {
    const int count = options_.streams;
    for (int i = 0; i < count; ++i) {
      const int share = options_.in_flight / count + (i < options_.in_flight % count ? 1 : 0);
      streams_.push_back(std::make_unique<StreamCall>(options_.channels[i % options_.channels.size()], &queue_,
                                                      options_, share, &outstanding_));
    }
  }

  ~StreamLane() override {
    if (thread_.joinable()) thread_.join();
    queue_.Shutdown();
    void* tag;
    bool ok;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  void Start() override {
    for (const auto& stream : streams_) stream->Open();
    thread_ = StartThread("bench-stream", [this] { Run(); });
  }

  void Send(const Ticket& ticket) override { streams_[next_++ % streams_.size()]->Send(ticket); }

  int64_t outstanding() const override { return outstanding_; }

  void EndLate() override {
    for (const auto& stream : streams_) stream->EndIfLate(Steady::now());
  }

  void Stop() override {
    for (const auto& stream : streams_) stream->Stop();
  }

  void Cancel() override {
    for (const auto& stream : streams_) stream->Cancel();
  }

  bool done() const override { return done_; }

 private:
  // A stream closes only after Stop(), and with an event of its own.
  void Run() {
    void* tag;
    bool ok;
    while (!std::all_of(streams_.begin(), streams_.end(), [](const auto& stream) { return stream->closed(); }) &&
           queue_.Next(&tag, &ok)) {
      const auto* event = static_cast<StreamCall::Tag*>(tag);
      event->stream->Handle(event->op, ok);
    }
    done_ = true;
  }

  const LaneOptions options_;
  grpc::CompletionQueue queue_;
  std::atomic<int64_t> outstanding_ = 0;
  std::atomic<bool> done_ = false;
  std::vector<std::unique_ptr<StreamCall>> streams_;
  size_t next_ = 0;  // of the sender
  std::thread thread_;
};

}  // namespace

std::unique_ptr<Lane> MakeStreamLane(const LaneOptions& options) { return std::make_unique<StreamLane>(options); }

}  // namespace digit
