// grpc.health.v1: our own, because gRPC's built-in one exists only after the server starts and starts as SERVING.
//
// Knows the services "" (the server) and "digit.v1.DigitService"; both start as NOT_SERVING. Thread-safe.
#pragma once

#include <set>
#include <string>

#include "base/mutex.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace digit {

class HealthServiceImpl final : public grpc::health::v1::Health::CallbackService {
 public:
  // Tells everyone who watches.
  void SetServing(bool serving) ABSL_LOCKS_EXCLUDED(mu_);
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
  static bool IsKnown(const std::string& service);
  void Forget(Watcher* watcher) ABSL_LOCKS_EXCLUDED(mu_);

  Mutex mu_;
  bool serving_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  std::set<Watcher*> watchers_ ABSL_GUARDED_BY(mu_);  // each deletes itself after Forget()
};

}  // namespace digit
