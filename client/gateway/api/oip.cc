// The Open Inference Protocol v2 over HTTP, in Triton's form: its paths, each a call of digitd's gRPC service.
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
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

json::value Truth(const char* name, bool value) {
  json::object object;
  object[name] = value;
  return object;
}

// Of /v2/models/{}/versions/{}/...; empty: the path names none.
std::string VersionIn(const Url& url) {
  return url.segments.size() > 4 && url.segments[3] == "versions" ? url.segments[4] : "";
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

HttpResponse Api::AsOipError(HttpResponse problem) {
  if (problem.content_type != "application/problem+json") return problem;
  json::object error;
  error["error"] = json::parse(problem.body).at("detail");
  problem.content_type = "application/json";
  problem.body = json::serialize(error);
  return problem;
}

Api::Work Api::OipServer(Exchange& exchange, std::string /*unused*/) {
  const inference::ServerMetadataRequest request;
  inference::ServerMetadataResponse response;
  const absl::Status status =
      co_await exchange.backend.Call<inference::ServerMetadataRequest, inference::ServerMetadataResponse>(
          &OipStub::ServerMetadata, request, exchange.metadata, &exchange.connection, &response);
  if (!status.ok()) co_return ProblemOf(status, exchange.request_id);
  response.add_extensions("binary_tensor_data");  // of HTTP only
  co_return Json(OipJson(response));
}

Api::Work Api::OipLive(Exchange& exchange, std::string /*unused*/) {
  const inference::ServerLiveRequest request;
  inference::ServerLiveResponse response;
  const absl::Status status =
      co_await exchange.backend.Call<inference::ServerLiveRequest, inference::ServerLiveResponse>(
          &OipStub::ServerLive, request, exchange.metadata, &exchange.connection, &response);
  if (!status.ok()) co_return ProblemOf(status, exchange.request_id);
  co_return Json(Truth("live", response.live()));
}

Api::Work Api::OipReady(Exchange& exchange, std::string /*unused*/) {
  const inference::ServerReadyRequest request;
  inference::ServerReadyResponse response;
  const absl::Status status =
      co_await exchange.backend.Call<inference::ServerReadyRequest, inference::ServerReadyResponse>(
          &OipStub::ServerReady, request, exchange.metadata, &exchange.connection, &response);
  if (!status.ok()) co_return ProblemOf(status, exchange.request_id);
  co_return Json(Truth("ready", response.ready()), response.ready() ? 200 : 503);
}

Api::Work Api::OipModel(Exchange& exchange, std::string model) {
  inference::ModelMetadataRequest request;
  request.set_name(std::move(model));
  request.set_version(VersionIn(exchange.url));
  inference::ModelMetadataResponse response;
  const absl::Status status =
      co_await exchange.backend.Call<inference::ModelMetadataRequest, inference::ModelMetadataResponse>(
          &OipStub::ModelMetadata, request, exchange.metadata, &exchange.connection, &response);
  if (!status.ok()) co_return ProblemOf(status, exchange.request_id);
  co_return Json(OipJson(response));
}

Api::Work Api::OipModelReady(Exchange& exchange, std::string model) {
  inference::ModelReadyRequest request;
  request.set_name(std::move(model));
  request.set_version(VersionIn(exchange.url));
  inference::ModelReadyResponse response;
  const absl::Status status =
      co_await exchange.backend.Call<inference::ModelReadyRequest, inference::ModelReadyResponse>(
          &OipStub::ModelReady, request, exchange.metadata, &exchange.connection, &response);
  if (!status.ok()) co_return ProblemOf(status, exchange.request_id);
  json::value ready = Truth("ready", response.ready());
  ready.get_object()["name"] = request.name();
  co_return Json(ready, response.ready() ? 200 : 503);
}

Api::Work Api::OipConfig(Exchange& exchange, std::string model) {
  inference::ModelConfigRequest request;
  request.set_name(std::move(model));
  request.set_version(VersionIn(exchange.url));
  inference::ModelConfigResponse response;
  const absl::Status status =
      co_await exchange.backend.Call<inference::ModelConfigRequest, inference::ModelConfigResponse>(
          &OipStub::ModelConfig, request, exchange.metadata, &exchange.connection, &response);
  if (!status.ok()) co_return ProblemOf(status, exchange.request_id);
  co_return Json(OipJson(response.config()));
}

Api::Work Api::OipStats(Exchange& exchange, std::string model) {
  inference::ModelStatisticsRequest request;
  request.set_name(std::move(model));
  request.set_version(VersionIn(exchange.url));
  inference::ModelStatisticsResponse response;
  const absl::Status status =
      co_await exchange.backend.Call<inference::ModelStatisticsRequest, inference::ModelStatisticsResponse>(
          &OipStub::ModelStatistics, request, exchange.metadata, &exchange.connection, &response);
  if (!status.ok()) co_return ProblemOf(status, exchange.request_id);
  co_return Json(OipJson(response));
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
  inference::RepositoryIndexResponse response;
  const absl::Status status =
      co_await exchange.backend.Call<inference::RepositoryIndexRequest, inference::RepositoryIndexResponse>(
          &OipStub::RepositoryIndex, request, exchange.metadata, &exchange.connection, &response);
  if (!status.ok()) co_return ProblemOf(status, exchange.request_id);
  co_return Json(OipJson(response).at("models"));
}

Api::Work Api::OipLoad(Exchange& exchange, std::string model) {
  inference::RepositoryModelLoadRequest request;
  const absl::Status sound = ReadRepositoryParameters(exchange.http.body, request.mutable_parameters());
  if (!sound.ok()) co_return ProblemOf(sound, exchange.request_id);
  request.set_model_name(std::move(model));
  inference::RepositoryModelLoadResponse response;
  const absl::Status status =
      co_await exchange.backend.Call<inference::RepositoryModelLoadRequest, inference::RepositoryModelLoadResponse>(
          &OipStub::RepositoryModelLoad, request, exchange.metadata, &exchange.connection, &response);
  if (!status.ok()) co_return ProblemOf(status, exchange.request_id);
  co_return Json(OipJson(response));
}

Api::Work Api::OipUnload(Exchange& exchange, std::string model) {
  inference::RepositoryModelUnloadRequest request;
  const absl::Status sound = ReadRepositoryParameters(exchange.http.body, request.mutable_parameters());
  if (!sound.ok()) co_return ProblemOf(sound, exchange.request_id);
  request.set_model_name(std::move(model));
  inference::RepositoryModelUnloadResponse response;
  const absl::Status status =
      co_await exchange.backend.Call<inference::RepositoryModelUnloadRequest, inference::RepositoryModelUnloadResponse>(
          &OipStub::RepositoryModelUnload, request, exchange.metadata, &exchange.connection, &response);
  if (!status.ok()) co_return ProblemOf(status, exchange.request_id);
  co_return Json(OipJson(response));
}

}  // namespace digit
