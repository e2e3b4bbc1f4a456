// The calls of digit.v1.DigitService about models. All but the two that only look are for admins (Authorizer).
#include <string>

#include "base/build_info.h"
#include "base/log.h"
#include "daemon/rpc/calls.h"
#include "daemon/rpc/codec.h"
#include "daemon/rpc/digit_service.h"

namespace digit {
namespace {

// Describes the model as it is now into `out`.
absl::Status EncodeNow(const ModelRegistry& registry, const std::string& name, v1::Model* out) {
  const absl::StatusOr<ModelDescription> model = registry.Describe(name);
  if (model.ok()) EncodeModel(*model, out);
  return model.status();
}

}  // namespace

void LogAdminCall(absl::string_view method, const std::string& peer, absl::string_view what,
                  const absl::Status& status) {
  LogInfo("admin call", {{"method", method},
                         {"peer", peer},
                         {"what", what.substr(0, 100)},
                         {"code", absl::StatusCodeToString(status.code())}});
}

bool Admits(const Authorizer& authorizer, absl::string_view method, const grpc::CallbackServerContext& context,
            absl::string_view what, UnaryCall* reactor) {
  const absl::Status allowed = authorizer.Check(method, context);
  if (allowed.ok()) return true;
  LogAdminCall(method, context, what, allowed);
  FinishWith(reactor, allowed);
  return false;
}

grpc::ServerUnaryReactor* DigitServiceImpl::ListModels(grpc::CallbackServerContext*, const v1::ListModelsRequest*,
                                                       v1::ListModelsResponse* response) {
  UnaryCall* reactor = StartCall("ListModels");
  response->set_server_version(Version());
  for (const std::string& name : registry_->Names()) {
    const absl::StatusOr<ModelDescription> model = registry_->Describe(name);
    if (model.ok()) EncodeModel(*model, response->add_models());  // else it has just been dropped
  }
  return FinishWith(reactor, absl::OkStatus());
}

grpc::ServerUnaryReactor* DigitServiceImpl::GetModel(grpc::CallbackServerContext*, const v1::GetModelRequest* request,
                                                     v1::GetModelResponse* response) {
  UnaryCall* reactor = StartCall("GetModel");
  return FinishWith(reactor, EncodeNow(*registry_, request->model(), response->mutable_model()));
}

grpc::ServerUnaryReactor* DigitServiceImpl::ReloadModel(grpc::CallbackServerContext* context,
                                                        const v1::ReloadModelRequest* request,
                                                        v1::ReloadModelResponse* response) {
  UnaryCall* reactor = StartCall("ReloadModel");
  if (!Admits(authorizer_, "ReloadModel", *context, request->model(), reactor)) return reactor;
  loader_->Reload(
      request->model(), {.force = request->force(), .candidate = request->candidate()},
      [this, context, reactor, request, response](absl::StatusOr<ModelRegistry::Reloaded> reloaded) {
        LogAdminCall("ReloadModel", *context, request->model(), reloaded.status());
        if (!reloaded.ok()) return reactor->Finish(ToGrpcStatus(reloaded.status()));
        response->set_changed(reloaded->changed);
        response->set_gate(reloaded->refused.empty() ? reloaded->gate : reloaded->refused);
        FinishWith(reactor, EncodeNow(*registry_, reloaded->live->name, response->mutable_model()));
      },
      [context] { return context->IsCancelled(); });
  return reactor;
}

grpc::ServerUnaryReactor* DigitServiceImpl::PromoteModel(grpc::CallbackServerContext* context,
                                                         const v1::PromoteModelRequest* request,
                                                         v1::PromoteModelResponse* response) {
  UnaryCall* reactor = StartCall("PromoteModel");
  if (!Admits(authorizer_, "PromoteModel", *context, request->model(), reactor)) return reactor;
  loader_->Promote(
      request->model(), request->version(), request->force(),
      [this, context, reactor, request, response](absl::StatusOr<ModelRegistry::Reloaded> promoted) {
        LogAdminCall("PromoteModel", *context, request->model(), promoted.status());
        if (!promoted.ok()) return reactor->Finish(ToGrpcStatus(promoted.status()));
        response->set_gate(promoted->gate);
        FinishWith(reactor, EncodeNow(*registry_, promoted->live->name, response->mutable_model()));
      },
      [context] { return context->IsCancelled(); });
  return reactor;
}

grpc::ServerUnaryReactor* DigitServiceImpl::ShadowModel(grpc::CallbackServerContext* context,
                                                        const v1::ShadowModelRequest* request,
                                                        v1::ShadowModelResponse* response) {
  UnaryCall* reactor = StartCall("ShadowModel");
  if (!Admits(authorizer_, "ShadowModel", *context, request->model(), reactor)) return reactor;
  const absl::Status status = registry_->SetShadow(request->model(), request->share());
  LogAdminCall("ShadowModel", *context, request->model(), status);
  if (!status.ok()) return FinishWith(reactor, status);
  return FinishWith(reactor, EncodeNow(*registry_, request->model(), response->mutable_model()));
}

grpc::ServerUnaryReactor* DigitServiceImpl::RollbackModel(grpc::CallbackServerContext* context,
                                                          const v1::RollbackModelRequest* request,
                                                          v1::RollbackModelResponse* response) {
  UnaryCall* reactor = StartCall("RollbackModel");
  if (!Admits(authorizer_, "RollbackModel", *context, request->model(), reactor)) return reactor;
  const absl::StatusOr<ModelHandle> live = loader_->Rollback(request->model());
  LogAdminCall("RollbackModel", *context, request->model(), live.status());
  if (!live.ok()) return FinishWith(reactor, live.status());
  return FinishWith(reactor, EncodeNow(*registry_, (*live)->name, response->mutable_model()));
}

}  // namespace digit
