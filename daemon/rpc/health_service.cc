#include "daemon/rpc/health_service.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace digit {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

namespace {

constexpr absl::string_view kService = "digit.v1.DigitService";
constexpr absl::string_view kInferenceService = "inference.GRPCInferenceService";

}  // namespace

// One Watch call. Sends the newest state; states that changed back before they could be sent are skipped.
class HealthServiceImpl::Watcher final : public grpc::ServerWriteReactor<HealthCheckResponse> {
 public:
  Watcher(HealthServiceImpl* service, std::string name) : service_(service), name_(std::move(name)) {}

  const std::string& name() const { return name_; }
  void Update(Status status) {
    MutexLock lock(&mu_);
    wanted_ = status;
    Advance();
  }
  void End() {
    MutexLock lock(&mu_);
    ending_ = true;
    Advance();
  }
  void OnWriteDone(bool ok) override {
    MutexLock lock(&mu_);
    writing_ = false;
    if (!ok) ending_ = true;
    Advance();
  }
  void OnCancel() override { End(); }
  void OnDone() override {
    service_->Forget(this);
    delete this;
  }

 private:
  // Reactions never run inside StartWrite() or Finish(), so both may be called under the lock.
  void Advance() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (writing_ || finished_) return;
    if (wanted_ != sent_.status() || !sent_any_) {
      if (wanted_ != HealthCheckResponse::UNKNOWN) {
        sent_.set_status(wanted_);
        sent_any_ = writing_ = true;
        return StartWrite(&sent_);
      }
    }
    if (!ending_) return;
    finished_ = true;
    Finish(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the watch has ended"));
  }

  HealthServiceImpl* const service_;
  const std::string name_;
  Mutex mu_;
  HealthCheckResponse sent_ ABSL_GUARDED_BY(mu_);
  HealthCheckResponse::ServingStatus wanted_ ABSL_GUARDED_BY(mu_) = HealthCheckResponse::UNKNOWN;
  bool sent_any_ ABSL_GUARDED_BY(mu_) = false;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

HealthServiceImpl::Status HealthServiceImpl::StatusOf(const std::string& service) const {
  bool serving = false;
  if (service.empty() || service == kService || service == kInferenceService) {
    for (const auto& [name, model_serves] : models_) serving = serving || model_serves;
  } else {
    const bool names_a_model = absl::StartsWith(service, kService) && service[kService.size()] == '/';
    const auto found = names_a_model ? models_.find(service.substr(kService.size() + 1)) : models_.end();
    if (found == models_.end()) return HealthCheckResponse::SERVICE_UNKNOWN;
    serving = found->second;
  }
  return serving_ && serving ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
}

void HealthServiceImpl::UpdateWatchers() {
  for (Watcher* watcher : watchers_) watcher->Update(StatusOf(watcher->name()));
}

void HealthServiceImpl::SetServing(bool serving) {
  MutexLock lock(&mu_);
  serving_ = serving;
  UpdateWatchers();
}

void HealthServiceImpl::SetModels(std::map<std::string, bool> models) {
  MutexLock lock(&mu_);
  models_ = std::move(models);
  UpdateWatchers();
}

bool HealthServiceImpl::IsServing() const {
  MutexLock lock(&mu_);
  return StatusOf("") == HealthCheckResponse::SERVING;
}

void HealthServiceImpl::EndWatches() {
  MutexLock lock(&mu_);
  ended_ = true;
  for (Watcher* watcher : watchers_) watcher->End();
}

void HealthServiceImpl::Forget(Watcher* watcher) {
  MutexLock lock(&mu_);
  watchers_.erase(watcher);
}

grpc::ServerUnaryReactor* HealthServiceImpl::Check(grpc::CallbackServerContext* context,
                                                   const HealthCheckRequest* request, HealthCheckResponse* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  {
    MutexLock lock(&mu_);
    response->set_status(StatusOf(request->service()));
  }
  const bool known = response->status() != HealthCheckResponse::SERVICE_UNKNOWN;
  reactor->Finish(known ? grpc::Status::OK
                        : grpc::Status(grpc::StatusCode::NOT_FOUND,
                                       absl::StrCat("no service '", request->service().substr(0, 100), "'")));
  return reactor;
}

grpc::ServerWriteReactor<HealthCheckResponse>* HealthServiceImpl::Watch(grpc::CallbackServerContext*,
                                                                        const HealthCheckRequest* request) {
  auto* watcher = new Watcher(this, request->service());
  MutexLock lock(&mu_);
  watchers_.insert(watcher);
  watcher->Update(StatusOf(watcher->name()));
  if (ended_) watcher->End();
  return watcher;
}

}  // namespace digit
