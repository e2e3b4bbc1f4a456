#include "daemon/rpc/health_service.h"

#include "absl/strings/str_cat.h"

namespace digit {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

// One Watch call. Sends the newest state; states that changed back before they could be sent are skipped.
class HealthServiceImpl::Watcher final : public grpc::ServerWriteReactor<HealthCheckResponse> {
 public:
  Watcher(HealthServiceImpl* service, bool is_known) : service_(service), is_known_(is_known) {}

  void Update(bool serving) {
    MutexLock lock(&mu_);
    wanted_ = !is_known_ ? HealthCheckResponse::SERVICE_UNKNOWN
              : serving  ? HealthCheckResponse::SERVING
                         : HealthCheckResponse::NOT_SERVING;
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
  const bool is_known_;
  Mutex mu_;
  HealthCheckResponse sent_ ABSL_GUARDED_BY(mu_);
  HealthCheckResponse::ServingStatus wanted_ ABSL_GUARDED_BY(mu_) = HealthCheckResponse::UNKNOWN;
  bool sent_any_ ABSL_GUARDED_BY(mu_) = false;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

bool HealthServiceImpl::IsKnown(const std::string& service) {
  return service.empty() || service == "digit.v1.DigitService";
}

void HealthServiceImpl::SetServing(bool serving) {
  MutexLock lock(&mu_);
  serving_ = serving;
  for (Watcher* watcher : watchers_) watcher->Update(serving);
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
  if (!IsKnown(request->service())) {
    reactor->Finish(grpc::Status(grpc::StatusCode::NOT_FOUND,
                                 absl::StrCat("no service '", request->service().substr(0, 100), "'")));
    return reactor;
  }
  {
    MutexLock lock(&mu_);
    response->set_status(serving_ ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING);
  }
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerWriteReactor<HealthCheckResponse>* HealthServiceImpl::Watch(grpc::CallbackServerContext*,
                                                                        const HealthCheckRequest* request) {
  auto* watcher = new Watcher(this, IsKnown(request->service()));
  MutexLock lock(&mu_);
  watchers_.insert(watcher);
  watcher->Update(serving_);
  if (ended_) watcher->End();
  return watcher;
}

}  // namespace digit
