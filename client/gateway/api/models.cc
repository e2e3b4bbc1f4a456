// Models, their statistics, and corrections.
#include "base/json.h"
#include "base/status.h"
#include "client/gateway/api/api.h"
#include "client/gateway/api/message_json.h"
#include "client/gateway/api/picture_body.h"
#include "client/gateway/api/problem.h"
#include "client/gateway/api/transcode.h"

namespace digit {

using AsyncStub = class Backend::Stub::async;

Api::Work Api::ListModels(Exchange& exchange, std::string unused) {
  return Transcode<v1::ListModelsRequest, v1::ListModelsResponse>(exchange, std::move(unused), &AsyncStub::ListModels);
}

Api::Work Api::GetModel(Exchange& exchange, std::string model) {
  return Transcode<v1::GetModelRequest, v1::GetModelResponse>(exchange, std::move(model), &AsyncStub::GetModel);
}

Api::Work Api::GetStats(Exchange& exchange, std::string model) {
  return Transcode<v1::GetModelStatsRequest, v1::GetModelStatsResponse>(exchange, std::move(model),
                                                                        &AsyncStub::GetModelStats);
}

Api::Work Api::Reload(Exchange& exchange, std::string model) {
  return Transcode<v1::ReloadModelRequest, v1::ReloadModelResponse>(exchange, std::move(model),
                                                                    &AsyncStub::ReloadModel);
}

Api::Work Api::Rollback(Exchange& exchange, std::string model) {
  return Transcode<v1::RollbackModelRequest, v1::RollbackModelResponse>(exchange, std::move(model),
                                                                        &AsyncStub::RollbackModel);
}

Api::Work Api::Promote(Exchange& exchange, std::string model) {
  return Transcode<v1::PromoteModelRequest, v1::PromoteModelResponse>(exchange, std::move(model),
                                                                      &AsyncStub::PromoteModel);
}

Api::Work Api::Shadow(Exchange& exchange, std::string model) {
  return Transcode<v1::ShadowModelRequest, v1::ShadowModelResponse>(exchange, std::move(model),
                                                                    &AsyncStub::ShadowModel);
}

namespace {

// The body is SubmitFeedbackRequest, but its picture is text, as in a recognition.
absl::Status ReadFeedback(absl::string_view body, v1::SubmitFeedbackRequest* request) {
  ASSIGN_OR_RETURN(json::value value, ParseJson(body, "the body", kMaxBodyValues));
  json::object* object = value.if_object();
  if (object == nullptr) {
    return absl::InvalidArgumentError(R"(the body must be an object such as {"image": "...", "label": "7"})");
  }
  const json::value* image = object->if_contains("image");
  if (image == nullptr || !image->is_string()) {
    return absl::InvalidArgumentError(R"("image" is missing or is no string: base64 or a data URL)");
  }
  ASSIGN_OR_RETURN(std::string picture, DecodePicture(std::string(image->get_string()), "image"));
  object->erase("image");
  RETURN_IF_ERROR(MessageFromJson(std::move(*object), request));
  request->mutable_image()->set_encoded(std::move(picture));
  return absl::OkStatus();
}

}  // namespace

Api::Work Api::AddFeedback(Exchange& exchange, std::string model) {
  v1::SubmitFeedbackRequest request;
  const absl::Status sound = ReadFeedback(exchange.http.body, &request);
  if (!sound.ok()) co_return ProblemOf(sound, exchange.request_id);
  request.set_model(model == "-" ? "" : std::move(model));
  if (request.source().empty()) request.set_source(exchange.connection.peer);  // the daemon would take the gateway's
  v1::SubmitFeedbackResponse response;
  const absl::Status status = co_await exchange.backend.Call<v1::SubmitFeedbackRequest, v1::SubmitFeedbackResponse>(
      &AsyncStub::SubmitFeedback, request, exchange.metadata, &exchange.connection, &response);
  co_return Answer(exchange, status, response);
}

Api::Work Api::ListFeedback(Exchange& exchange, std::string unused) {
  return Transcode<v1::ListFeedbackRequest, v1::ListFeedbackResponse>(exchange, std::move(unused),
                                                                      &AsyncStub::ListFeedback);
}

Api::Work Api::ReviewFeedback(Exchange& exchange, std::string unused) {
  return Transcode<v1::ReviewFeedbackRequest, v1::ReviewFeedbackResponse>(exchange, std::move(unused),
                                                                          &AsyncStub::ReviewFeedback);
}

}  // namespace digit
