#include "client/lib/client.h"

#include <grpcpp/grpcpp.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/lib/call_status.h"
#include "client/lib/channel.h"
#include "client/lib/recognize_stream.h"

namespace digit {
absl::StatusOr<std::unique_ptr<Client>> Client::Create(ClientOptions options) {
  if (options.timeout <= absl::ZeroDuration() || options.timeout > absl::Hours(24)) {
    return absl::InvalidArgumentError(
        absl::StrCat("timeout ", absl::FormatDuration(options.timeout), " must be above 0 and at most 24h"));
  }
  for (const char c : options.admin_token) {
    if (c <= ' ' || c > '~')
      return absl::InvalidArgumentError("the admin token must be visible ASCII characters alone");
  }
  absl::StatusOr<std::shared_ptr<grpc::Channel>> channel = CreateChannel(options);
  if (!channel.ok()) return channel.status();
  return std::unique_ptr<Client>(new Client(std::move(options), *std::move(channel)));
}

Client::Client(ClientOptions options, std::shared_ptr<grpc::Channel> channel)
    : options_(std::move(options)),
      channel_(std::move(channel)),
      digits_(v1::DigitService::NewStub(channel_)),
      health_(grpc::health::v1::Health::NewStub(channel_)) {}

template <typename Call>
absl::Status Client::Try(const Call& call) {
  const absl::Time deadline = absl::Now() + options_.timeout;
  while (true) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(deadline));
    const grpc::Status status = call(&context);
    const std::optional<absl::Duration> pushback = RetryPushback(status, context);
    if (!pushback || absl::Now() + *pushback >= deadline) {
      const bool connected = channel_->GetState(/*try_to_connect=*/false) == GRPC_CHANNEL_READY;
      return ToClientStatus(status, options_.server, options_.timeout, connected);
    }
    absl::SleepFor(*pushback);
  }
}

absl::StatusOr<v1::RecognizeResponse> Client::Recognize(const v1::RecognizeRequest& request) {
  v1::RecognizeResponse response;
  absl::Status status =
      Try([&](grpc::ClientContext* context) { return digits_->Recognize(context, request, &response); });
  if (!status.ok()) return status;
  return response;
}

absl::Status Client::RecognizeStream(const NextRequest& next, const OnAnswer& on_answer, const StreamOptions& options) {
  return RecognizeStreamCall(digits_.get(), channel_.get(), options_, options, next, on_answer).Run();
}

absl::StatusOr<v1::ListModelsResponse> Client::ListModels() {
  v1::ListModelsResponse response;
  absl::Status status = Try([&](grpc::ClientContext* context) { return digits_->ListModels(context, {}, &response); });
  if (!status.ok()) return status;
  return response;
}

absl::StatusOr<v1::Model> Client::GetModel(const std::string& name) {
  v1::GetModelRequest request;
  request.set_model(name);
  v1::GetModelResponse response;
  absl::Status status =
      Try([&](grpc::ClientContext* context) { return digits_->GetModel(context, request, &response); });
  if (!status.ok()) return status;
  return std::move(*response.mutable_model());
}

// Not in the service config: an admin call that may have been done is not done again.
template <typename Response, typename Request>
absl::StatusOr<Response> Client::AskAsAdmin(grpc::Status (v1::DigitService::Stub::*method)(grpc::ClientContext*,
                                                                                           const Request&, Response*),
                                            const Request& request) {
  Response response;
  absl::Status status = Try([&](grpc::ClientContext* context) {
    SendAdminToken(context);
    return (digits_.get()->*method)(context, request, &response);
  });
  if (!status.ok()) return status;
  return response;
}

absl::StatusOr<v1::ReloadModelResponse> Client::ReloadModel(const std::string& name, bool force, bool candidate) {
  v1::ReloadModelRequest request;
  request.set_model(name);
  request.set_force(force);
  request.set_candidate(candidate);
  return AskAsAdmin(&v1::DigitService::Stub::ReloadModel, request);
}

absl::StatusOr<v1::RollbackModelResponse> Client::RollbackModel(const std::string& name) {
  v1::RollbackModelRequest request;
  request.set_model(name);
  return AskAsAdmin(&v1::DigitService::Stub::RollbackModel, request);
}

absl::StatusOr<v1::PromoteModelResponse> Client::PromoteModel(const std::string& name, const std::string& version,
                                                              bool force) {
  v1::PromoteModelRequest request;
  request.set_model(name);
  request.set_version(version);
  request.set_force(force);
  return AskAsAdmin(&v1::DigitService::Stub::PromoteModel, request);
}

absl::StatusOr<v1::ShadowModelResponse> Client::ShadowModel(const std::string& name, double share) {
  v1::ShadowModelRequest request;
  request.set_model(name);
  request.set_share(share);
  return AskAsAdmin(&v1::DigitService::Stub::ShadowModel, request);
}

absl::StatusOr<v1::SubmitFeedbackResponse> Client::SubmitFeedback(const v1::SubmitFeedbackRequest& request) {
  v1::SubmitFeedbackResponse response;
  absl::Status status =
      Try([&](grpc::ClientContext* context) { return digits_->SubmitFeedback(context, request, &response); });
  if (!status.ok()) return status;
  return response;
}

absl::StatusOr<v1::ListFeedbackResponse> Client::ListFeedback(const v1::ListFeedbackRequest& request) {
  return AskAsAdmin(&v1::DigitService::Stub::ListFeedback, request);
}

absl::StatusOr<v1::ReviewFeedbackResponse> Client::ReviewFeedback(const v1::ReviewFeedbackRequest& request) {
  return AskAsAdmin(&v1::DigitService::Stub::ReviewFeedback, request);
}

absl::StatusOr<v1::GetModelStatsResponse> Client::GetModelStats(const std::string& name) {
  v1::GetModelStatsRequest request;
  request.set_model(name);
  v1::GetModelStatsResponse response;
  absl::Status status =
      Try([&](grpc::ClientContext* context) { return digits_->GetModelStats(context, request, &response); });
  if (!status.ok()) return status;
  return response;
}

template <typename Response>
absl::Status Client::Follow(grpc::ClientContext* context, grpc::ClientReader<Response>* reader,
                            const OnTraining& on_change) {
  Response response;
  bool left = false;
  while (!left && reader->Read(&response)) left = !on_change(response.training());
  if (left) context->TryCancel();
  const grpc::Status status = reader->Finish();
  if (left) return absl::CancelledError("left");
  const bool connected = channel_->GetState(/*try_to_connect=*/false) == GRPC_CHANNEL_READY;
  return ToClientStatus(status, options_.server, options_.timeout, connected);
}

absl::Status Client::Train(const v1::TrainRequest& request, const OnTraining& on_change) {
  grpc::ClientContext context;
  SendAdminToken(&context);
  return Follow(&context, digits_->Train(&context, request).get(), on_change);
}

absl::Status Client::WatchTraining(const std::string& id, const OnTraining& on_change) {
  v1::WatchTrainingRequest request;
  request.set_id(id);
  grpc::ClientContext context;
  return Follow(&context, digits_->WatchTraining(&context, request).get(), on_change);
}

absl::StatusOr<v1::CancelTrainingResponse> Client::CancelTraining(const std::string& id) {
  v1::CancelTrainingRequest request;
  request.set_id(id);
  return AskAsAdmin(&v1::DigitService::Stub::CancelTraining, request);
}

absl::StatusOr<v1::ListTrainingsResponse> Client::ListTrainings(const std::string& model) {
  v1::ListTrainingsRequest request;
  request.set_model(model);
  v1::ListTrainingsResponse response;
  absl::Status status =
      Try([&](grpc::ClientContext* context) { return digits_->ListTrainings(context, request, &response); });
  if (!status.ok()) return status;
  return response;
}

void Client::SendAdminToken(grpc::ClientContext* context) const {
  if (!options_.admin_token.empty()) context->AddMetadata("authorization", "Bearer " + options_.admin_token);
}

absl::StatusOr<bool> Client::IsServing(const std::string& service) {
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  grpc::health::v1::HealthCheckResponse response;
  absl::Status status = Try([&](grpc::ClientContext* context) { return health_->Check(context, request, &response); });
  if (!status.ok()) return status;
  return response.status() == grpc::health::v1::HealthCheckResponse::SERVING;
}

}  // namespace digit
