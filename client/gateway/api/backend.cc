#include "client/gateway/api/backend.h"

#include <grpcpp/channel.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "base/log.h"
#include "base/retry_after.h"
#include "client/lib/call_status.h"
#include "client/lib/channel.h"

namespace digit {
namespace {

constexpr char kServer[] = "digitd";  // its address is nobody's business outside

// What digitd said, without its name: the caller asks the gateway.
absl::Status PlainStatus(const grpc::Status& status, absl::Duration timeout, bool connected) {
  // A call that digitd does not know, and a deadline that passes on this side, have other texts.
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  const bool is_its_own = (code == absl::StatusCode::kUnimplemented && !status.error_message().empty()) ||
                          (code == absl::StatusCode::kDeadlineExceeded && !status.error_message().empty() &&
                           status.error_message() != "Deadline Exceeded");
  if (is_its_own) return absl::Status(code, status.error_message());
  // gRPC's own refusal of a message; what is overloaded names a time to try again.
  if (code == absl::StatusCode::kResourceExhausted && absl::StartsWith(status.error_message(), "Received message")) {
    return absl::InvalidArgumentError(absl::StrCat("the request is too large for digitd (", status.error_message(),
                                                   "): send fewer or smaller pictures"));
  }
  const absl::Status client = ToClientStatus(status, kServer, timeout, connected);
  absl::string_view message = client.message();
  absl::ConsumePrefix(&message, "digitd says: ");
  return absl::Status(client.code(), message);
}

// gRPC ends the process over a value with other characters than printable ASCII, and fails the call over 8 KiB in all.
// What does not fit is as if it were not there.
void AddIfItFits(grpc::ClientContext* context, const std::string& name, const std::string& value) {
  constexpr size_t kMaxBytes = 4096;
  const bool fits = !value.empty() && value.size() <= kMaxBytes && std::all_of(value.begin(), value.end(), [](char c) {
    return absl::ascii_isprint(static_cast<unsigned char>(c));
  });
  if (fits) context->AddMetadata(name, value);
}

// Of the whole process, which has one daemon's address; one line for each change.
std::atomic<bool> is_unavailable{false};

void NoteUnavailable(const absl::Status& why) {
  if (!is_unavailable.exchange(true)) LogWarn("digitd is not available", {{"error", why}});
}

void NoteReachable() {
  if (is_unavailable.load(std::memory_order_relaxed) && is_unavailable.exchange(false)) {
    LogInfo("digitd is available again");
  }
}

// The calls of a training's feed: gRPC's thread brings the next state, the coroutine's takes it. The first must come
// within `timeout`; a training may stay as it is for as long as it likes.
template <typename Request, typename Response>
class Feed final : public Backend::TrainingFeed, public grpc::ClientReadReactor<Response> {
 public:
  Feed(asio::any_io_executor executor, absl::Duration timeout)
      : state_(std::make_shared<State>(executor)),
        timeout_(timeout),
        first_due_(std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(timeout)) {}

  ~Feed() override {
    context_.TryCancel();
    MutexLock lock(&state_->mu);
    while (!state_->ended) state_->changed.Wait(&state_->mu);  // at once: the call is cancelled
  }

  template <typename Method>
  void Begin(v1::DigitService::Stub* stub, Request request, Method method) {
    request_ = std::move(request);
    (stub->async()->*method)(&context_, &request_, this);
    this->StartRead(&response_);
    this->StartCall();
  }
  grpc::ClientContext* context() { return &context_; }

  asio::awaitable<std::optional<v1::Training>> Next(absl::Status* status, absl::Duration patience) override {
    asio::steady_timer::time_point due = first_due_;
    if (patience < absl::InfiniteDuration()) {
      due = std::min(due, std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(patience));
    }
    bool late = false;
    while (true) {
      {
        MutexLock lock(&state_->mu);
        if (!state_->trainings.empty()) {
          v1::Training training = std::move(state_->trainings.front());
          state_->trainings.pop_front();
          first_due_ = asio::steady_timer::time_point::max();
          co_return training;
        }
        if (state_->ended || late) {
          *status = state_->ended ? state_->status : PlainStatus(TooLate(), timeout_, true);
          // With patience that code says that there may be more; a call that somebody between has cut has no more.
          if (state_->ended && patience < absl::InfiniteDuration() && absl::IsDeadlineExceeded(*status)) {
            *status = absl::UnavailableError(status->message());
          }
          co_return std::nullopt;
        }
        state_->wake.expires_at(due);
      }
      boost::system::error_code woken;
      co_await state_->wake.async_wait(asio::redirect_error(asio::use_awaitable, woken));
      late = !woken;
    }
  }

  void Cancel() override { context_.TryCancel(); }

 private:
  struct State {
    explicit State(asio::any_io_executor executor) : wake(executor) {}
    Mutex mu;
    CondVar changed;
    std::deque<v1::Training> trainings ABSL_GUARDED_BY(mu);
    bool ended ABSL_GUARDED_BY(mu) = false;
    absl::Status status ABSL_GUARDED_BY(mu);
    asio::steady_timer wake;  // used on the coroutine's thread only
  };

  static grpc::Status TooLate() { return grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, ""); }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    {
      MutexLock lock(&state_->mu);
      constexpr size_t kBehind = 4;  // only the latest states matter to a reader that is slow
      if (state_->trainings.size() == kBehind) state_->trainings.pop_front();
      state_->trainings.push_back(std::move(*response_.mutable_training()));
    }
    Wake();
    this->StartRead(&response_);
  }

  void OnDone(const grpc::Status& status) override {
    const std::shared_ptr<State> state = state_;
    MutexLock lock(&state->mu);
    state->status = PlainStatus(status, timeout_, true);
    state->ended = true;
    Wake();
    state->changed.NotifyAll();  // once the lock is free *this may be gone
  }

  void Wake() {
    asio::post(state_->wake.get_executor(), [state = state_] { state->wake.cancel(); });
  }

  const std::shared_ptr<State> state_;
  const absl::Duration timeout_;
  asio::steady_timer::time_point first_due_;  // the coroutine's
  grpc::ClientContext context_;
  Request request_;
  Response response_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Backend>> Backend::Create(const Options& options) {
  const ClientOptions client{
      .server = options.server, .timeout = options.timeout, .max_response_bytes = options.max_response_bytes};
  absl::StatusOr<std::shared_ptr<grpc::Channel>> channel = CreateChannel(client, /*own_connection=*/true);
  if (!channel.ok()) return channel.status();
  return std::unique_ptr<Backend>(new Backend(options, *std::move(channel)));
}

Backend::Backend(Options options, std::shared_ptr<grpc::Channel> channel)
    : options_(std::move(options)),
      channel_(std::move(channel)),
      digits_(v1::DigitService::NewStub(channel_)),
      inference_(inference::GRPCInferenceService::NewStub(channel_)),
      health_(grpc::health::v1::Health::NewStub(channel_)),
      coalescer_([this](std::shared_ptr<const Coalescer::Group> group, std::function<void(SharedAnswer)> done) {
        StartRecognize(std::move(group), std::move(done));
      }) {}

void Backend::StartRecognize(std::shared_ptr<const Coalescer::Group> group, std::function<void(SharedAnswer)> done) {
  struct Call {
    grpc::ClientContext context;
    std::shared_ptr<const Coalescer::Group> group;
    SharedAnswer answer;
    std::function<void(SharedAnswer)> done;
  };
  auto* call = new Call{.context = {}, .group = std::move(group), .answer = {}, .done = std::move(done)};
  const CallMetadata none;
  Prepare(none, &call->context);
  for (const std::string& id : call->group->request_ids) AddIfItFits(&call->context, "x-request-id", id);
  digits_->async()->Recognize(&call->context, &call->group->request, &call->answer.response,
                              [this, call](grpc::Status status) {
                                call->answer.status = ToStatus(status, call->context, options_.timeout);
                                call->answer.timing = TimingOf(call->context);
                                call->done(std::move(call->answer));
                                delete call;
                              });
}

std::string Backend::TimingOf(const grpc::ClientContext& context) {
  const auto found = context.GetServerTrailingMetadata().find("digit-timing");
  if (found == context.GetServerTrailingMetadata().end()) return "";
  return std::string(found->second.data(), found->second.size());
}

void Backend::Prepare(const CallMetadata& metadata, grpc::ClientContext* context) const {
  context->set_deadline(absl::ToChronoTime(absl::Now() + TimeoutOf(metadata)));
  AddIfItFits(context, "authorization", metadata.authorization);
  AddIfItFits(context, "x-request-id", metadata.request_id);
  AddIfItFits(context, "traceparent", metadata.traceparent);
  if (metadata.is_remote) context->AddMetadata("digit-caller", "remote");
}

absl::Duration Backend::TimeoutOf(const CallMetadata& metadata) const {
  return std::max(metadata.timeout, options_.timeout);
}

absl::Status Backend::ToStatus(const grpc::Status& status, const grpc::ClientContext& context,
                               absl::Duration timeout) const {
  if (status.ok()) {
    NoteReachable();
    return absl::OkStatus();
  }
  const bool connected = channel_->GetState(/*try_to_connect=*/false) == GRPC_CHANNEL_READY;
  absl::Status plain = PlainStatus(status, timeout, connected);
  if (absl::IsUnavailable(plain)) NoteUnavailable(plain);
  // What gRPC says for a daemon that stops. Call() knows what we have cancelled ourselves.
  if (absl::IsCancelled(plain)) plain = absl::UnavailableError("digitd is stopping; try again");
  const std::optional<absl::Duration> pushback = RetryPushback(status, context);
  return pushback.has_value() ? WithRetryAfter(std::move(plain), *pushback) : plain;
}

asio::awaitable<bool> Backend::IsServing(HttpExchange* exchange) {
  grpc::ClientContext context;
  const CallMetadata none;
  Prepare(none, &context);
  exchange->on_gone = [&context] { context.TryCancel(); };
  const grpc::health::v1::HealthCheckRequest request;
  grpc::health::v1::HealthCheckResponse response;
  const grpc::Status status = co_await AwaitCall([&](std::function<void(grpc::Status)> done) {
    health_->async()->Check(&context, &request, &response, std::move(done));
  });
  exchange->on_gone = nullptr;
  co_return status.ok() && response.status() == grpc::health::v1::HealthCheckResponse::SERVING;
}

template <typename Request, typename Response, typename Method>
std::unique_ptr<Backend::TrainingFeed> Backend::Follow(Request request, Method method, const CallMetadata& metadata,
                                                       asio::any_io_executor executor) {
  auto feed = std::make_unique<Feed<Request, Response>>(std::move(executor), options_.timeout);
  Prepare(metadata, feed->context());
  feed->context()->set_deadline(std::chrono::system_clock::time_point::max());
  feed->Begin(digits_.get(), std::move(request), method);
  return feed;
}

std::unique_ptr<Backend::TrainingFeed> Backend::WatchTraining(const std::string& id, const CallMetadata& metadata,
                                                              asio::any_io_executor executor) {
  v1::WatchTrainingRequest request;
  request.set_id(id);
  return Follow<v1::WatchTrainingRequest, v1::WatchTrainingResponse>(std::move(request), &Stub::async::WatchTraining,
                                                                     metadata, std::move(executor));
}

std::unique_ptr<Backend::TrainingFeed> Backend::Train(const v1::TrainRequest& request, const CallMetadata& metadata,
                                                      asio::any_io_executor executor) {
  return Follow<v1::TrainRequest, v1::TrainResponse>(request, &Stub::async::Train, metadata, std::move(executor));
}

}  // namespace digit
