#include "client/gateway/api/api.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <exception>
#include <random>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "client/gateway/api/message_json.h"
#include "client/gateway/api/problem.h"
#include "client/gateway/api/server_timing.h"
#include "client/gateway/web/web_files.h"

namespace digit {

struct Api::Route {
  std::string method;
  std::vector<std::string> segments;  // "{}" stands for a name, "{}:verb" for one with that ending
  Access access;
  Work (*handle)(Exchange& exchange, std::string name);
};

const std::vector<Api::Route>& Api::Routes() {
  static const auto& routes = *new std::vector<Route>{
      {"POST", {"v1", "models", "{}:recognize"}, Access::kRecognize, &Api::Recognize},
      {"POST", {"v1", "models:recognize"}, Access::kRecognize, &Api::Recognize},
      {"POST", {"api", "recognize"}, Access::kRecognize, &Api::RecognizeAsInTutorial},
      {"GET", {"v1", "models"}, Access::kRead, &Api::ListModels},
      {"GET", {"v1", "models", "{}"}, Access::kRead, &Api::GetModel},
      {"GET", {"v1", "models", "{}", "stats"}, Access::kRead, &Api::GetStats},
      {"POST", {"v1", "models", "{}:reload"}, Access::kAdmin, &Api::Reload},
      {"POST", {"v1", "models", "{}:rollback"}, Access::kAdmin, &Api::Rollback},
      {"POST", {"v1", "models", "{}:promote"}, Access::kAdmin, &Api::Promote},
      {"POST", {"v1", "models", "{}:shadow"}, Access::kAdmin, &Api::Shadow},
      {"POST", {"v1", "models", "{}:train"}, Access::kAdmin, &Api::Train},
      {"GET", {"v1", "trainings"}, Access::kRead, &Api::ListTrainings},
      {"GET", {"v1", "trainings", "{}"}, Access::kRead, &Api::GetTraining},
      {"POST", {"v1", "trainings", "{}:cancel"}, Access::kAdmin, &Api::CancelTraining},
      {"POST", {"v1", "models", "{}", "feedback"}, Access::kChange, &Api::AddFeedback},
      {"GET", {"v1", "feedback"}, Access::kAdminRead, &Api::ListFeedback},
      {"POST", {"v1", "feedback:review"}, Access::kAdmin, &Api::ReviewFeedback},
      {"GET", {"v2"}, Access::kRead, &Api::OipServer},
      {"GET", {"v2", "health", "live"}, Access::kRead, &Api::OipLive},
      {"GET", {"v2", "health", "ready"}, Access::kRead, &Api::OipReady},
      {"GET", {"v2", "models", "stats"}, Access::kRead, &Api::OipStats},
      {"GET", {"v2", "models", "{}"}, Access::kRead, &Api::OipModel},
      {"GET", {"v2", "models", "{}", "ready"}, Access::kRead, &Api::OipModelReady},
      {"GET", {"v2", "models", "{}", "config"}, Access::kRead, &Api::OipConfig},
      {"GET", {"v2", "models", "{}", "stats"}, Access::kRead, &Api::OipStats},
      {"POST", {"v2", "models", "{}", "infer"}, Access::kRecognize, &Api::OipInfer},
      {"GET", {"v2", "models", "{}", "versions", "{}"}, Access::kRead, &Api::OipModel},
      {"GET", {"v2", "models", "{}", "versions", "{}", "ready"}, Access::kRead, &Api::OipModelReady},
      {"GET", {"v2", "models", "{}", "versions", "{}", "config"}, Access::kRead, &Api::OipConfig},
      {"GET", {"v2", "models", "{}", "versions", "{}", "stats"}, Access::kRead, &Api::OipStats},
      {"POST", {"v2", "models", "{}", "versions", "{}", "infer"}, Access::kRecognize, &Api::OipInfer},
      {"POST", {"v2", "repository", "index"}, Access::kRead, &Api::OipIndex},
      {"POST", {"v2", "repository", "models", "{}", "load"}, Access::kAdmin, &Api::OipLoad},
      {"POST", {"v2", "repository", "models", "{}", "unload"}, Access::kAdmin, &Api::OipUnload},
      {"GET", {"healthz"}, Access::kRead, &Api::Live},
      {"GET", {"readyz"}, Access::kRead, &Api::Ready},
      {"GET", {""}, Access::kRead, &Api::Page},
      {"GET", {"docs"}, Access::kRead, &Api::Docs},
      {"GET", {"openapi.json"}, Access::kRead, &Api::OpenApi},
      {"GET", {"web", "{}"}, Access::kRead, &Api::WebFile},
  };
  return routes;
}

namespace {

// Whether `segment` is what a route's segment says; `name` gets what stands for the first {} of the route.
bool Fits(absl::string_view pattern, absl::string_view segment, std::string* name) {
  if (!absl::ConsumePrefix(&pattern, "{}")) return pattern == segment;
  if (!absl::ConsumeSuffix(&segment, pattern) || segment.empty()) return false;
  if (pattern.empty() && absl::StrContains(segment, ':')) return false;  // a verb that there is not
  if (name->empty()) *name = std::string(segment);
  return true;
}

constexpr absl::Duration kAdminTimeout = absl::Minutes(10);  // the page waits as long

// As the caller sent it, when it is fit for headers and logs; else a new one.
std::string RequestIdOf(absl::string_view sent) {
  constexpr size_t kMax = 128;
  const bool sane = !sent.empty() && sent.size() <= kMax &&
                    std::all_of(sent.begin(), sent.end(), [](unsigned char c) { return absl::ascii_isgraph(c); });
  if (sane) return std::string(sent);
  static const uint64_t start = std::random_device()() | uint64_t{std::random_device()()} << 32;
  static std::atomic<uint64_t> next{0};
  return absl::StrCat(absl::Hex(start, absl::kZeroPad16), "-", ++next);
}

constexpr char kContentSecurityPolicy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

}  // namespace

absl::StatusOr<std::unique_ptr<Api>> Api::Create(Options options) {
  std::unique_ptr<Api> api(new Api(std::move(options)));
  for (int i = 0; i < api->options_.threads; ++i) {
    ASSIGN_OR_RETURN(std::unique_ptr<Backend> backend, Backend::Create(api->options_.backend));
    api->backends_.push_back(std::move(backend));
  }
  return api;
}

Api::Found Api::Find(const std::string& method, const std::vector<std::string>& segments) {
  Found found;
  std::vector<std::string> methods;
  for (const Route& route : Routes()) {
    if (route.segments.size() != segments.size()) continue;
    bool fits = true;
    std::string name;
    for (size_t i = 0; fits && i < segments.size(); ++i) fits = Fits(route.segments[i], segments[i], &name);
    if (!fits) continue;
    if (route.method == method || (route.method == "GET" && method == "HEAD")) {
      found.route = &route;
      found.name = name;
      return found;
    }
    const std::string allowed = route.method == "GET" ? "GET, HEAD" : route.method;
    if (std::find(methods.begin(), methods.end(), allowed) == methods.end()) methods.push_back(allowed);
  }
  found.methods = absl::StrJoin(methods, ", ");
  return found;
}

Api::Work Api::Dispatch(Exchange& exchange) {
  const HttpRequest& http = exchange.http;
  absl::StatusOr<Url> url = ParseUrl(http.target);
  if (!url.ok()) co_return ProblemOf(url.status(), exchange.request_id);
  exchange.url = *std::move(url);
  const Found found = Find(http.method, exchange.url.segments);
  const bool preflight = http.method == "OPTIONS" && !found.methods.empty();
  if (found.route == nullptr && !preflight) {
    if (found.methods.empty())
      co_return ProblemOf(404, "there is nothing at this path; see /docs", exchange.request_id);
    HttpResponse response = ProblemOf(405, absl::StrCat("this path knows ", found.methods), exchange.request_id);
    response.headers.emplace_back("Allow", found.methods);
    co_return response;
  }
  const std::optional<Guard::Refusal> refusal = guard_.Check(http, preflight ? Access::kRead : found.route->access);
  if (refusal.has_value()) co_return ProblemOf(refusal->status, refusal->detail, exchange.request_id);
  const absl::string_view encoding = http.header("content-encoding");
  if (!encoding.empty() && !absl::EqualsIgnoreCase(encoding, "identity")) {
    co_return ProblemOf(415, "a body with Content-Encoding, such as gzip, is not read: send it as it is",
                        exchange.request_id);
  }
  if (preflight) {
    HttpResponse response{.status = 204, .content_type = {}, .headers = {}, .body = {}, .stream = {}};
    response.headers.emplace_back("Allow", absl::StrCat(found.methods, ", OPTIONS"));
    if (!guard_.CorsHeaders(http.header("origin")).empty()) {
      response.headers.emplace_back("Access-Control-Allow-Methods", found.methods);
      response.headers.emplace_back(
          "Access-Control-Allow-Headers",
          "Authorization, Content-Type, Inference-Header-Content-Length, Traceparent, X-Request-Id");
      response.headers.emplace_back("Access-Control-Max-Age", "600");
    }
    co_return response;
  }
  // To load a model and ask its gate takes as long as it takes; 504 would say that it has failed.
  if (found.route->access == Access::kAdmin) exchange.metadata.timeout = kAdminTimeout;
  co_return co_await found.route->handle(exchange, found.name);
}

asio::awaitable<HttpResponse> Api::Handle(int thread, const HttpRequest& request, HttpExchange& exchange) {
  const absl::Time start = absl::Now();
  Exchange on_its_way{.http = request,
                      .connection = exchange,
                      .backend = *backends_[static_cast<size_t>(thread)],
                      .url = {},
                      .request_id = RequestIdOf(request.header("x-request-id")),
                      .metadata = {},
                      .timing = {}};
  on_its_way.metadata = {.authorization = std::string(request.header("authorization")),
                         .request_id = on_its_way.request_id,
                         .traceparent = std::string(request.header("traceparent")),
                         .is_remote = guard_.is_remote()};
  HttpResponse response;
  try {
    response = co_await Dispatch(on_its_way);
  } catch (const std::exception& e) {
    LogError("a handler threw", {{"request_id", on_its_way.request_id}, {"error", e.what()}});
    response = ProblemOf(500, "internal error; the log of the gateway has more", on_its_way.request_id);
  }
  if (IsOip(request.target)) response = AsOipError(std::move(response));
  const absl::Duration took = absl::Now() - start;
  response.headers.emplace_back("X-Request-Id", on_its_way.request_id);
  response.headers.emplace_back("Server-Timing", ServerTiming(took, on_its_way.timing));
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  for (auto& header : guard_.CorsHeaders(request.header("origin"))) response.headers.push_back(std::move(header));
  if (response.status == 500) {
    LogError("answered with an internal error",
             {{"request_id", on_its_way.request_id}, {"target", request.target}, {"answer", response.body}});
  }
  if (options_.access_log) {
    LogInfo("answered", {{"method", request.method},
                         {"target", request.target},
                         {"status", response.status},
                         {"peer", exchange.peer},
                         {"took", absl::FormatDuration(took)},
                         {"request_id", on_its_way.request_id}});
  }
  co_return response;
}

HttpResponse Api::Refuse(const HttpError& error) const {
  const std::string request_id = RequestIdOf(FindHeader(error.headers, "x-request-id"));
  HttpResponse response = ProblemOf(error.status, error.detail, request_id);
  if (error.status == 503) response.headers.emplace_back("Retry-After", "1");
  response.headers.emplace_back("X-Request-Id", request_id);
  for (auto& header : guard_.CorsHeaders(FindHeader(error.headers, "origin"))) {
    response.headers.push_back(std::move(header));
  }
  if (options_.access_log) {
    LogInfo("refused", {{"status", error.status}, {"detail", error.detail}, {"request_id", request_id}});
  }
  return IsOip(error.target) ? AsOipError(std::move(response)) : response;
}

HttpResponse Api::Answer(const Exchange& exchange, const absl::Status& status, const google::protobuf::Message& message,
                         int http_status) {
  if (!status.ok()) return ProblemOf(status, exchange.request_id);
  HttpResponse response{.status = http_status,
                        .content_type = "application/json",
                        .headers = {},
                        .body = MessageToJson(message),
                        .stream = {}};
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

std::string Api::SentRequestId(const Exchange& exchange) {
  return exchange.http.header("x-request-id") == exchange.request_id ? exchange.request_id : "";
}

absl::Status Api::ReadMessage(const Exchange& exchange, google::protobuf::Message* message) {
  if (exchange.http.method == "POST") return MessageFromJson(exchange.http.body, message);
  return MessageFromQuery(exchange.url.query, message);
}

namespace {

// No braces in the coroutines themselves: GCC 12 destroys an aggregate that is made within a co_return twice.
HttpResponse Text(std::string text) {
  HttpResponse response;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::move(text);
  return response;
}

}  // namespace

Api::Work Api::Live(Exchange& /*exchange*/, std::string /*unused*/) { co_return Text("ok\n"); }

Api::Work Api::Ready(Exchange& exchange, std::string /*unused*/) {
  const bool serving = co_await exchange.backend.IsServing(&exchange.connection);
  if (serving) co_return Text("ready\n");
  co_return ProblemOf(503, "digitd cannot be reached or does not serve", exchange.request_id);
}

Api::Work Api::Page(Exchange& exchange, std::string /*unused*/) { return WebFile(exchange, "index.html"); }

Api::Work Api::Docs(Exchange& exchange, std::string /*unused*/) { return WebFile(exchange, "docs.html"); }

Api::Work Api::OpenApi(Exchange& exchange, std::string /*unused*/) { return WebFile(exchange, "openapi.json"); }

Api::Work Api::WebFile(Exchange& exchange, std::string name) {
  for (const digit::WebFile& file : WebFiles()) {
    if (file.name != name) continue;
    HttpResponse response{.content_type = std::string(file.content_type), .headers = {}, .body = {}, .stream = {}};
    response.headers = {{"ETag", std::string(file.etag)},
                        {"Cache-Control", "no-cache"},
                        {"Content-Security-Policy", kContentSecurityPolicy},
                        {"Referrer-Policy", "no-referrer"},
                        {"Cross-Origin-Resource-Policy", "same-origin"}};
    const absl::string_view known = exchange.http.header("if-none-match");
    if (known == "*" || absl::StrContains(known, file.etag)) {  // also in a list, and as W/"..." after a proxy
      response.status = 304;
      response.content_type.clear();
    } else {
      response.body = std::string(file.bytes);
    }
    co_return response;
  }
  co_return ProblemOf(404, "there is no such file", exchange.request_id);
}

}  // namespace digit
