// The way to digitd: gRPC calls as coroutines.
//
// One per thread of the HTTP server, with a connection of its own. A call is made on that thread and its coroutine goes
// on there; gRPC answers on threads of its own.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "client/gateway/api/coalescer.h"
#include "client/gateway/http/message.h"
#include "digit/v1/digit.grpc.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "grpcpp/client_context.h"
#include "inference/grpc_service.grpc.pb.h"

namespace digit {

// What goes along with a call. A value that is not printable ASCII, or longer than 4 KiB, is left out.
struct CallMetadata {
  std::string authorization;  // as the caller sent it; empty: none
  std::string request_id;
  std::string traceparent;  // empty: none
  bool is_remote = false;   // the caller is not on this machine, whatever address the daemon sees
  absl::Duration timeout;   // when longer than Backend::Options::timeout
};

class Backend {
 public:
  using Stub = v1::DigitService::Stub;
  using InferenceStub = inference::GRPCInferenceService::Stub;

  struct Options {
    std::string server = "localhost:50051";      // as ClientOptions::server
    absl::Duration timeout = absl::Seconds(10);  // of each call; of a feed: until its first state
    int max_response_bytes = 64 << 20;
  };

  // Connects to nothing yet. INVALID_ARGUMENT: `server` is no address.
  static absl::StatusOr<std::unique_ptr<Backend>> Create(const Options& options);

  // Calls `method` of a service, `Async` is Stub::async or InferenceStub::async; `timing`, when not null, gets the
  // trailer digit-timing. When the client goes away the call is cancelled (CANCELLED). Errors are the daemon's, with
  // RetryAfterOf() where it says when.
  template <typename Request, typename Response, typename Async>
  asio::awaitable<absl::Status> Call(void (Async::*method)(grpc::ClientContext*, const Request*, Response*,
                                                           std::function<void(grpc::Status)>),
                                     const Request& request, const CallMetadata& metadata, HttpExchange* exchange,
                                     Response* response, std::string* timing = nullptr);

  // Recognises one picture that Coalescer::IsSmall(), in company. `request_id` as in CallMetadata.
  asio::awaitable<Coalescer::Answer> RecognizeSmall(std::string model, std::string version, std::string picture,
                                                    std::string request_id, HttpExchange* exchange) {
    return coalescer_.Recognize(std::move(model), std::move(version), std::move(picture), std::move(request_id),
                                exchange);
  }

  // Whether a daemon takes requests now.
  asio::awaitable<bool> IsServing(HttpExchange* exchange);

  // A training as it changes, until it has ended. Next() is called by one coroutine.
  class TrainingFeed {
   public:
    virtual ~TrainingFeed() = default;  // cancels the call
    // The next state; nullopt: there is no more, then `status` says why, or, with `patience`, DEADLINE_EXCEEDED: there
    // was none for that long, and there may be more.
    virtual asio::awaitable<std::optional<v1::Training>> Next(absl::Status* status,
                                                              absl::Duration patience = absl::InfiniteDuration()) = 0;
    virtual void Cancel() = 0;
  };
  std::unique_ptr<TrainingFeed> WatchTraining(const std::string& id, const CallMetadata& metadata,
                                              asio::any_io_executor executor);
  // Begins one; it should be detached.
  std::unique_ptr<TrainingFeed> Train(const v1::TrainRequest& request, const CallMetadata& metadata,
                                      asio::any_io_executor executor);

 private:
  Backend(Options options, std::shared_ptr<grpc::Channel> channel);

  template <typename Request, typename Response, typename Method>
  std::unique_ptr<TrainingFeed> Follow(Request request, Method method, const CallMetadata& metadata,
                                       asio::any_io_executor executor);
  void StartRecognize(std::shared_ptr<const Coalescer::Group> group, std::function<void(SharedAnswer)> done);
  template <typename Async>
  Async* async() const {
    if constexpr (std::is_same_v<Async, class InferenceStub::async>) {
      return inference_->async();
    } else {
      return digits_->async();
    }
  }
  void Prepare(const CallMetadata& metadata, grpc::ClientContext* context) const;
  static std::string TimingOf(const grpc::ClientContext& context);
  absl::Status ToStatus(const grpc::Status& status, const grpc::ClientContext& context, absl::Duration timeout) const;
  absl::Duration TimeoutOf(const CallMetadata& metadata) const;

  const Options options_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<Stub> digits_;
  const std::unique_ptr<InferenceStub> inference_;
  const std::unique_ptr<grpc::health::v1::Health::Stub> health_;
  Coalescer coalescer_;
};

// Runs `start(done)` and waits until done(status) is called, on any thread.
template <typename Start>
asio::awaitable<grpc::Status> AwaitCall(Start start) {
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(grpc::Status)>(
      [](auto handler, Start begin) {
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));  // std::function wants copies
        begin([shared](grpc::Status status) {
          auto executor = asio::get_associated_executor(*shared);
          asio::post(executor, [handler = std::move(*shared), status = std::move(status)]() mutable {
            handler(std::move(status));
          });
        });
      },
      asio::use_awaitable, std::move(start));
}

template <typename Request, typename Response, typename Async>
asio::awaitable<absl::Status> Backend::Call(void (Async::*method)(grpc::ClientContext*, const Request*, Response*,
                                                                  std::function<void(grpc::Status)>),
                                            const Request& request, const CallMetadata& metadata,
                                            HttpExchange* exchange, Response* response, std::string* timing) {
  grpc::ClientContext context;
  Prepare(metadata, &context);
  bool gone = false;
  exchange->on_gone = [&context, &gone] {
    gone = true;
    context.TryCancel();
  };
  const grpc::Status status = co_await AwaitCall([&](std::function<void(grpc::Status)> done) {
    (async<Async>()->*method)(&context, &request, response, std::move(done));
  });
  exchange->on_gone = nullptr;
  if (timing != nullptr) {
    *timing = TimingOf(context);
  }
  if (gone) co_return absl::CancelledError("the client has gone");
  co_return ToStatus(status, context, TimeoutOf(metadata));
}

}  // namespace digit
