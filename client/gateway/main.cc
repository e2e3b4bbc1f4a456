// digit-gateway: flags, signals, one HttpServer with the Api behind it.
#include <malloc.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "base/build_info.h"
#include "base/file.h"
#include "base/log.h"
#include "base/threads.h"
#include "client/gateway/api/api.h"
#include "client/gateway/flags.h"
#include "client/gateway/http/server.h"
#include "client/lib/server_address.h"

namespace digit {
namespace {

int Main(int argc, char** argv) {
  OpenStandardDescriptors();
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);  // Debian's Abseil has it on, and it is slow
  mallopt(M_MMAP_THRESHOLD, 128 << 10);  // the memory of large bodies goes back to the system
  ParsedGatewayFlags flags = ParseGatewayFlags(argc, argv);
  if (flags.exit_code.has_value()) return *flags.exit_code;
  GatewayConfig& config = flags.config;
  SetLogLevel(LogLevelOf(config.log_level));
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGTERM);
  sigaddset(&stop_signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);  // in every thread but this one, when it waits for them
  std::signal(SIGPIPE, SIG_IGN);

  const int threads = config.threads > 0 ? config.threads : UsableCores();
  Api::Options api_options{.backend = {.server = config.server, .timeout = config.timeout},
                           .guard = {.listens_on_loopback = IsLoopback(HostOf(config.listen)),
                                     .hosts = config.hosts,
                                     .origins = config.origins},
                           .threads = threads,
                           .access_log = config.access_log};
  absl::StatusOr<std::unique_ptr<Api>> api = Api::Create(std::move(api_options));
  if (!api.ok()) {
    std::fprintf(stderr, "digit-gateway: --server: %s\n", std::string(api.status().message()).c_str());
    return kGatewayUsage;
  }
  HttpServer::Options options{
      .listen = config.listen,
      .threads = threads,
      .limits = {.max_body_bytes = static_cast<size_t>(config.max_body_bytes)},
      .timeouts = {.head = config.head_timeout, .body = config.body_timeout, .idle = config.idle_timeout},
      .max_connections = config.max_connections,
      .max_buffered_bytes = config.max_buffered_bytes,
      .drain_timeout = config.drain_timeout};
  absl::StatusOr<std::unique_ptr<HttpServer>> server = HttpServer::Start(
      std::move(options),
      [api = api->get()](int thread, const HttpRequest& request, HttpExchange& exchange) {
        return api->Handle(thread, request, exchange);
      },
      [api = api->get()](const HttpError& error) { return api->Refuse(error); });
  if (!server.ok()) {
    std::fprintf(stderr, "digit-gateway: %s\n", std::string(server.status().message()).c_str());
    return absl::IsInvalidArgument(server.status()) ? kGatewayUsage : kGatewayListen;
  }
  LogInfo("serving", {{"address", (*server)->address()}, {"server", config.server}, {"build", BuildId()}});
  int signal = 0;
  sigwait(&stop_signals, &signal);
  LogInfo("stopping", {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}});
  pthread_sigmask(SIG_UNBLOCK, &stop_signals, nullptr);  // a second one ends the process without waiting
  (*server)->Stop();
  LogInfo("stopped");
  // Without destructors: a thread of gRPC may still be on its way out of the last call.
  std::_Exit(kGatewayOk);
}

}  // namespace
}  // namespace digit

int main(int argc, char** argv) { return digit::Main(argc, argv); }
