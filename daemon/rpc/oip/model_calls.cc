// The calls of inference.GRPCInferenceService about the server and its models.
#include "base/build_info.h"
#include "base/status.h"
#include "daemon/rpc/calls.h"
#include "daemon/rpc/oip/inference_service.h"
#include "daemon/rpc/oip/model_messages.h"

namespace digit {

grpc::ServerUnaryReactor* InferenceServiceImpl::ServerLive(grpc::CallbackServerContext*,
                                                           const inference::ServerLiveRequest*,
                                                           inference::ServerLiveResponse* response) {
  UnaryCall* reactor = StartCall("ServerLive");
  response->set_live(true);
  return FinishWith(reactor, absl::OkStatus());
}

grpc::ServerUnaryReactor* InferenceServiceImpl::ServerReady(grpc::CallbackServerContext*,
                                                            const inference::ServerReadyRequest*,
                                                            inference::ServerReadyResponse* response) {
  UnaryCall* reactor = StartCall("ServerReady");
  response->set_ready(options_.is_ready());
  return FinishWith(reactor, absl::OkStatus());
}

grpc::ServerUnaryReactor* InferenceServiceImpl::ModelReady(grpc::CallbackServerContext*,
                                                           const inference::ModelReadyRequest* request,
                                                           inference::ModelReadyResponse* response) {
  UnaryCall* reactor = StartCall("ModelReady");
  const absl::StatusOr<ModelHandle> model = registry_->Find(request->name(), request->version());
  response->set_ready(options_.is_ready() && model.ok() && (*model)->placed->serving());
  return FinishWith(reactor, absl::OkStatus());
}

grpc::ServerUnaryReactor* InferenceServiceImpl::ServerMetadata(grpc::CallbackServerContext*,
                                                               const inference::ServerMetadataRequest*,
                                                               inference::ServerMetadataResponse* response) {
  UnaryCall* reactor = StartCall("ServerMetadata");
  response->set_name("digitd");
  response->set_version(Version());
  for (const char* extension : {"classification", "model_configuration", "model_repository", "statistics"}) {
    response->add_extensions(extension);
  }
  return FinishWith(reactor, absl::OkStatus());
}

absl::StatusOr<std::vector<ModelHandle>> InferenceServiceImpl::Loaded(const std::string& name,
                                                                      const std::string& version) const {
  if (!version.empty()) {
    ASSIGN_OR_RETURN(ModelHandle model, registry_->Find(name, version));
    return std::vector<ModelHandle>{std::move(model)};
  }
  ASSIGN_OR_RETURN(const ModelDescription description, registry_->Describe(name));
  std::vector<ModelHandle> models;
  for (const VersionRecord& record : description.versions) {
    ModelHandle model = record.model.lock();
    if (model != nullptr && record.state != ModelState::kDraining) models.push_back(std::move(model));
  }
  return models;
}

grpc::ServerUnaryReactor* InferenceServiceImpl::ModelMetadata(grpc::CallbackServerContext*,
                                                              const inference::ModelMetadataRequest* request,
                                                              inference::ModelMetadataResponse* response) {
  UnaryCall* reactor = StartCall("ModelMetadata");
  const absl::StatusOr<ModelHandle> model = registry_->Find(request->name(), request->version());
  if (!model.ok()) return FinishWith(reactor, model.status());
  const absl::StatusOr<std::vector<ModelHandle>> loaded = Loaded(request->name(), request->version());
  if (!loaded.ok()) return FinishWith(reactor, loaded.status());
  EncodeMetadata(**model, response);
  for (const ModelHandle& version : *loaded) response->add_versions(version->version);
  return FinishWith(reactor, absl::OkStatus());
}

grpc::ServerUnaryReactor* InferenceServiceImpl::ModelConfig(grpc::CallbackServerContext*,
                                                            const inference::ModelConfigRequest* request,
                                                            inference::ModelConfigResponse* response) {
  UnaryCall* reactor = StartCall("ModelConfig");
  const absl::StatusOr<ModelHandle> model = registry_->Find(request->name(), request->version());
  if (model.ok()) EncodeConfig(**model, options_.max_images_per_call, response->mutable_config());
  return FinishWith(reactor, model.status());
}

grpc::ServerUnaryReactor* InferenceServiceImpl::ModelStatistics(grpc::CallbackServerContext*,
                                                                const inference::ModelStatisticsRequest* request,
                                                                inference::ModelStatisticsResponse* response) {
  UnaryCall* reactor = StartCall("ModelStatistics");
  const bool all = request->name().empty() && request->version().empty();
  const std::vector<std::string> names = all ? registry_->Names() : std::vector<std::string>{request->name()};
  for (const std::string& name : names) {
    const absl::StatusOr<std::vector<ModelHandle>> loaded = Loaded(name, request->version());
    if (!loaded.ok() && all) continue;  // it has just been dropped
    if (!loaded.ok()) return FinishWith(reactor, loaded.status());
    for (const ModelHandle& model : *loaded) {
      EncodeStatistics(*model, options_.wall_time(), options_.clock->Now(), response->add_model_stats());
    }
  }
  return FinishWith(reactor, absl::OkStatus());
}

grpc::ServerUnaryReactor* InferenceServiceImpl::RepositoryIndex(grpc::CallbackServerContext*,
                                                                const inference::RepositoryIndexRequest* request,
                                                                inference::RepositoryIndexResponse* response) {
  UnaryCall* reactor = StartCall("RepositoryIndex");
  const absl::Status named = CheckRepositoryName(request->repository_name());
  if (!named.ok()) return FinishWith(reactor, named);
  for (const std::string& name : registry_->Names()) {
    const absl::StatusOr<ModelDescription> model = registry_->Describe(name);
    if (model.ok()) EncodeIndex(*model, request->ready(), response);  // else it has just been dropped
  }
  return FinishWith(reactor, absl::OkStatus());
}

grpc::ServerUnaryReactor* InferenceServiceImpl::RepositoryModelLoad(
    grpc::CallbackServerContext* context, const inference::RepositoryModelLoadRequest* request,
    inference::RepositoryModelLoadResponse*) {
  UnaryCall* reactor = StartCall("RepositoryModelLoad");
  if (!Admits(authorizer_, "RepositoryModelLoad", *context, request->model_name(), reactor)) return reactor;
  absl::Status asked = CheckRepositoryName(request->repository_name());
  asked.Update(CheckRepositoryParameters(request->parameters()));
  if (!asked.ok()) return FinishWith(reactor, asked);
  loader_->Reload(
      request->model_name(), {},
      [context, reactor, request](const absl::StatusOr<ModelRegistry::Reloaded>& reloaded) {
        LogAdminCall("RepositoryModelLoad", *context, request->model_name(), reloaded.status());
        FinishWith(reactor, reloaded.status());
      },
      [context] { return context->IsCancelled(); });
  return reactor;
}

grpc::ServerUnaryReactor* InferenceServiceImpl::RepositoryModelUnload(
    grpc::CallbackServerContext* context, const inference::RepositoryModelUnloadRequest* request,
    inference::RepositoryModelUnloadResponse*) {
  UnaryCall* reactor = StartCall("RepositoryModelUnload");
  if (!Admits(authorizer_, "RepositoryModelUnload", *context, request->model_name(), reactor)) return reactor;
  absl::Status asked = CheckRepositoryName(request->repository_name());
  asked.Update(CheckRepositoryParameters(request->parameters()));
  asked.Update(absl::UnimplementedError(
      "digitd serves its models until it stops; to replace one, change its file, to go back, call RollbackModel of "
      "digit.v1"));
  LogAdminCall("RepositoryModelUnload", *context, request->model_name(), asked);
  return FinishWith(reactor, asked);
}

}  // namespace digit
