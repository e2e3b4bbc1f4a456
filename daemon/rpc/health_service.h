// grpc.health.v1: our own, because gRPC's built-in one exists only after the server starts and starts as SERVING.
//
// Knows the services "" (the server), "digit.v1.DigitService", "inference.GRPCInferenceService" and
// "digit.v1.DigitService/MODEL". The first three serve while the server takes calls and at least one model serves. All
// start as NOT_SERVING. Thread-safe.
#pragma once

#include <map>
#include <set>
#include <string>

#include "base/mutex.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace digit {

class HealthServiceImpl final : public grpc::health::v1::Health::CallbackService {
 public:
  // Whether the server takes calls. Tells everyone who watches.
  void SetServing(bool serving) ABSL_LOCKS_EXCLUDED(mu_);
  // The models there are and whether each can answer. The same.
  void SetModels(std::map<std::string, bool> models) ABSL_LOCKS_EXCLUDED(mu_);
  // Whether "" is SERVING.
  bool IsServing() const ABSL_LOCKS_EXCLUDED(mu_);
  // Ends all watches with UNAVAILABLE, after their last update was sent; later ones end at once. For shutdown: the
  // server waits for open streams.
  void EndWatches() ABSL_LOCKS_EXCLUDED(mu_);

  grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext* context,
                                  const grpc::health::v1::HealthCheckRequest* request,
                                  grpc::health::v1::HealthCheckResponse* response) override;
  grpc::ServerWriteReactor<grpc::health::v1::HealthCheckResponse>* Watch(
      grpc::CallbackServerContext* context, const grpc::health::v1::HealthCheckRequest* request) override;

 private:
  class Watcher;
  using Status = grpc::health::v1::HealthCheckResponse::ServingStatus;
  Status StatusOf(const std::string& service) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void UpdateWatchers() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Forget(Watcher* watcher) ABSL_LOCKS_EXCLUDED(mu_);

  mutable Mutex mu_;
  std::map<std::string, bool> models_ ABSL_GUARDED_BY(mu_);
  bool serving_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  std::set<Watcher*> watchers_ ABSL_GUARDED_BY(mu_);  // each deletes itself after Forget()
};

}  // namespace digit
