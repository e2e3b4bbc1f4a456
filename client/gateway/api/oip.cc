// The Open Inference Protocol v2 over HTTP, in Triton's form: its paths, each a call of digitd's gRPC service.
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/json.h"
#include "client/gateway/api/api.h"
#include "client/gateway/api/oip_json.h"
#include "client/gateway/api/problem.h"

namespace digit {

using OipStub = class Backend::InferenceStub::async;

namespace {

constexpr char kJsonBytesHeader[] = "Inference-Header-Content-Length";

HttpResponse Json(const json::value& value, int http_status = 200) {
  HttpResponse response;
  response.status = http_status;
  response.content_type = "application/json";
  response.headers.emplace_back("Cache-Control", "no-store");
  response.body = json::serialize(value);
  return response;
}

// Of /v2/models/{}/versions/{}/...; empty: the path names none.
std::string VersionIn(const Url& url) {
  return url.segments.size() > 4 && url.segments[3] == "versions" ? url.segments[4] : "";
}

// About the model, and the version, that the path names.
template <typename Request>
Request AskOf(const Url& url, std::string model) {
  Request request;
  request.set_name(std::move(model));
  request.set_version(VersionIn(url));
  return request;
}

// What those who forget how JSON carries files should know.
absl::Status WithHint(const absl::Status& status, const InferForm& form) {
  if (!absl::IsInvalidArgument(status) || !form.has_plain_strings) return status;
  return absl::InvalidArgumentError(absl::StrCat(
      status.message(), "; a string in \"data\" is the file itself, byte by byte: send files as binary data (",
      kJsonBytesHeader, "), or as base64 with the input's parameter \"content_type\": \"base64\""));
}

HttpResponse InferResponse(InferAnswer answer) {
  HttpResponse response;
  response.content_type = answer.has_tensors ? "application/octet-stream" : "application/json";
  if (answer.has_tensors) response.headers.emplace_back(kJsonBytesHeader, absl::StrCat(answer.json_bytes));
  response.body = std::move(answer.body);
  return response;
}

}  // namespace

bool Api::IsOip(absl::string_view target) {
  return absl::ConsumePrefix(&target, "/v2") && (target.empty() || target[0] == '/' || target[0] == '?');
}

HttpResponse Api::AsOipError(HttpResponse problem) {
  if (problem.content_type != "application/problem+json") return problem;
  json::object error;
  absl::StatusOr<json::value> value = ParseJson(problem.body, "our own problem");
  if (!value.ok()) {  // a caller's word in it is no UTF-8, or was cut within a character
    for (char& c : problem.body) c = absl::ascii_isascii(static_cast<unsigned char>(c)) ? c : '?';
    value = ParseJson(problem.body, "our own problem");
  }
  error["error"] = value->at("detail");
  problem.content_type = "application/json";
  problem.body = json::serialize(error);
  return problem;
}

template <typename Request, typename Response, typename Show>
Api::Work Api::OipCall(Exchange& exchange,
                       void (Backend::InferenceStub::async::*method)(grpc::ClientContext*, const Request*, Response*,
                                                                     std::function<void(grpc::Status)>),
                       Request request, Show show) {
  Response response;
  const absl::Status status =
      co_await exchange.backend.Call(method, request, exchange.metadata, &exchange.connection, &response);
  if (!status.ok()) co_return ProblemOf(status, exchange.request_id);
  co_return show(std::move(response));
}

Api::Work Api::OipServer(Exchange& exchange, std::string /*unused*/) {
  return OipCall<inference::ServerMetadataRequest, inference::ServerMetadataResponse>(
      exchange, &OipStub::ServerMetadata, {}, [](inference::ServerMetadataResponse server) {
        server.add_extensions("binary_tensor_data");  // of HTTP only
        return Json(OipJson(server));
      });
}

Api::Work Api::OipLive(Exchange& exchange, std::string /*unused*/) {
  return OipCall<inference::ServerLiveRequest, inference::ServerLiveResponse>(
      exchange, &OipStub::ServerLive, {},
      [](const inference::ServerLiveResponse& server) { return Json(OipJson(server)); });
}

Api::Work Api::OipReady(Exchange& exchange, std::string /*unused*/) {
  return OipCall<inference::ServerReadyRequest, inference::ServerReadyResponse>(
      exchange, &OipStub::ServerReady, {},
      [](const inference::ServerReadyResponse& server) { return Json(OipJson(server), server.ready() ? 200 : 503); });
}

Api::Work Api::OipModelReady(Exchange& exchange, std::string model) {
  auto request = AskOf<inference::ModelReadyRequest>(exchange.url, model);
  return OipCall<inference::ModelReadyRequest, inference::ModelReadyResponse>(
      exchange, &OipStub::ModelReady, std::move(request),
      [model = std::move(model)](const inference::ModelReadyResponse& response) {
        json::value answer = OipJson(response);
        answer.get_object()["name"] = model;
        return Json(answer, response.ready() ? 200 : 503);
      });
}

Api::Work Api::OipModel(Exchange& exchange, std::string model) {
  return OipCall<inference::ModelMetadataRequest, inference::ModelMetadataResponse>(
      exchange, &OipStub::ModelMetadata, AskOf<inference::ModelMetadataRequest>(exchange.url, std::move(model)),
      [](const inference::ModelMetadataResponse& response) { return Json(OipJson(response)); });
}

Api::Work Api::OipConfig(Exchange& exchange, std::string model) {
  return OipCall<inference::ModelConfigRequest, inference::ModelConfigResponse>(
      exchange, &OipStub::ModelConfig, AskOf<inference::ModelConfigRequest>(exchange.url, std::move(model)),
      [](const inference::ModelConfigResponse& response) { return Json(OipJson(response.config())); });
}

Api::Work Api::OipStats(Exchange& exchange, std::string model) {
  return OipCall<inference::ModelStatisticsRequest, inference::ModelStatisticsResponse>(
      exchange, &OipStub::ModelStatistics, AskOf<inference::ModelStatisticsRequest>(exchange.url, std::move(model)),
      [](const inference::ModelStatisticsResponse& response) { return Json(OipJson(response)); });
}

Api::Work Api::OipInfer(Exchange& exchange, std::string model) {
  inference::ModelInferRequest request;
  InferForm form;
  const absl::Status sound = ReadInfer(exchange.http.body, exchange.http.header(kJsonBytesHeader), &request, &form);
  if (!sound.ok()) co_return ProblemOf(sound, exchange.request_id);
  request.set_model_name(std::move(model));
  request.set_model_version(VersionIn(exchange.url));
  inference::ModelInferResponse response;
  const absl::Status status =
      co_await exchange.backend.Call<inference::ModelInferRequest, inference::ModelInferResponse>(
          &OipStub::ModelInfer, request, exchange.metadata, &exchange.connection, &response, &exchange.timing);
  if (!status.ok()) co_return ProblemOf(WithHint(status, form), exchange.request_id);
  absl::StatusOr<InferAnswer> answer = WriteInfer(response, form);
  if (!answer.ok()) co_return ProblemOf(answer.status(), exchange.request_id);
  co_return InferResponse(*std::move(answer));
}

Api::Work Api::OipIndex(Exchange& exchange, std::string /*unused*/) {
  inference::RepositoryIndexRequest request;
  const absl::Status sound = ReadMessage(exchange, &request);
  if (!sound.ok()) co_return ProblemOf(sound, exchange.request_id);
  co_return co_await OipCall<inference::RepositoryIndexRequest, inference::RepositoryIndexResponse>(
      exchange, &OipStub::RepositoryIndex, std::move(request),
      [](const inference::RepositoryIndexResponse& response) { return Json(OipJson(response).at("models")); });
}

// Load and unload.
template <typename Request, typename Response>
Api::Work Api::OipChange(Exchange& exchange,
                         void (Backend::InferenceStub::async::*method)(grpc::ClientContext*, const Request*, Response*,
                                                                       std::function<void(grpc::Status)>),
                         std::string model) {
  Request request;
  const absl::Status sound = ReadRepositoryParameters(exchange.http.body, request.mutable_parameters());
  if (!sound.ok()) co_return ProblemOf(sound, exchange.request_id);
  request.set_model_name(std::move(model));
  co_return co_await OipCall(exchange, method, std::move(request),
                             [](const Response& response) { return Json(OipJson(response)); });
}

Api::Work Api::OipLoad(Exchange& exchange, std::string model) {
  return OipChange<inference::RepositoryModelLoadRequest, inference::RepositoryModelLoadResponse>(
      exchange, &OipStub::RepositoryModelLoad, std::move(model));
}

Api::Work Api::OipUnload(Exchange& exchange, std::string model) {
  return OipChange<inference::RepositoryModelUnloadRequest, inference::RepositoryModelUnloadResponse>(
      exchange, &OipStub::RepositoryModelUnload, std::move(model));
}

}  // namespace digit
