// Our REST API, the tutorial's, the Open Inference Protocol's, and what belongs to any server of HTTP: from a request
// to its answer.
//
// Holds no state of requests. Thread-safe; each thread of the server has its own Backend.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/gateway/api/backend.h"
#include "client/gateway/api/guard.h"
#include "client/gateway/api/url.h"
#include "client/gateway/http/head_rules.h"
#include "client/gateway/http/message.h"

namespace digit {

class Api {
 public:
  struct Options {
    Backend::Options backend;
    Guard::Options guard;
    int threads = 1;
    bool access_log = false;
  };
  // INVALID_ARGUMENT: the daemon's address is none.
  static absl::StatusOr<std::unique_ptr<Api>> Create(Options options);

  // The handler of HttpServer.
  asio::awaitable<HttpResponse> Handle(int thread, const HttpRequest& request, HttpExchange& exchange);
  // The answer to what is no request.
  HttpResponse Refuse(const HttpError& error) const;

 private:
  // A request on its way through.
  struct Exchange {
    const HttpRequest& http;
    HttpExchange& connection;
    Backend& backend;
    Url url;
    std::string request_id;
    CallMetadata metadata;
    std::string timing;  // the daemon's trailer digit-timing; empty: none
  };
  using Work = asio::awaitable<HttpResponse>;

  // What a path and method mean.
  struct Route;
  static const std::vector<Route>& Routes();
  struct Found {
    const Route* route = nullptr;
    std::string name;     // what stands for the first {} in the path
    std::string methods;  // that the path has, when `route` is null: "GET, HEAD"
  };
  static Found Find(const std::string& method, const std::vector<std::string>& segments);

  explicit Api(Options options) : options_(std::move(options)), guard_(options_.guard) {}
  Work Dispatch(Exchange& exchange);

  // recognize.cc. `tutorial`: the answer has the tutorial's form.
  static Work Recognize(Exchange& exchange, std::string model);
  static Work RecognizeAsInTutorial(Exchange& exchange, std::string model);
  static bool WantsText(const Exchange& exchange);
  static std::string SentRequestId(const Exchange& exchange);  // empty: the id is our own
  static HttpResponse AnswerOne(const Exchange& exchange, const v1::RecognizeResponse& response, int index,
                                bool tutorial);
  static Work RecognizeBody(Exchange& exchange, std::string model, bool tutorial);
  // models.cc
  static Work ListModels(Exchange& exchange, std::string unused);
  static Work GetModel(Exchange& exchange, std::string model);
  static Work GetStats(Exchange& exchange, std::string model);
  static Work Reload(Exchange& exchange, std::string model);
  static Work Rollback(Exchange& exchange, std::string model);
  static Work Promote(Exchange& exchange, std::string model);
  static Work Shadow(Exchange& exchange, std::string model);
  static Work AddFeedback(Exchange& exchange, std::string model);
  static Work ListFeedback(Exchange& exchange, std::string unused);
  static Work ReviewFeedback(Exchange& exchange, std::string unused);
  // trainings.cc
  static Work Train(Exchange& exchange, std::string model);
  static Work ListTrainings(Exchange& exchange, std::string unused);
  static Work GetTraining(Exchange& exchange, std::string id);
  static Work CancelTraining(Exchange& exchange, std::string id);
  // oip.cc: the Open Inference Protocol, v2
  static Work OipServer(Exchange& exchange, std::string unused);
  static Work OipLive(Exchange& exchange, std::string unused);
  static Work OipReady(Exchange& exchange, std::string unused);
  static Work OipModel(Exchange& exchange, std::string model);
  static Work OipModelReady(Exchange& exchange, std::string model);
  static Work OipConfig(Exchange& exchange, std::string model);
  static Work OipStats(Exchange& exchange, std::string model);
  static Work OipInfer(Exchange& exchange, std::string model);
  static Work OipIndex(Exchange& exchange, std::string unused);
  static Work OipLoad(Exchange& exchange, std::string model);
  static Work OipUnload(Exchange& exchange, std::string model);
  // Calls, and answers what `show` makes of the response.
  template <typename Request, typename Response, typename Show>
  static Work OipCall(Exchange& exchange,
                      void (Backend::InferenceStub::async::*method)(grpc::ClientContext*, const Request*, Response*,
                                                                    std::function<void(grpc::Status)>),
                      Request request, Show show);
  template <typename Request, typename Response>
  static Work OipChange(Exchange& exchange,
                        void (Backend::InferenceStub::async::*method)(grpc::ClientContext*, const Request*, Response*,
                                                                      std::function<void(grpc::Status)>),
                        std::string model);
  // Any error of these paths, in the protocol's form.
  static HttpResponse AsOipError(HttpResponse problem);
  static bool IsOip(absl::string_view target);
  // api.cc
  static Work Live(Exchange& exchange, std::string unused);
  static Work Ready(Exchange& exchange, std::string unused);
  static Work Page(Exchange& exchange, std::string unused);
  static Work Docs(Exchange& exchange, std::string unused);
  static Work OpenApi(Exchange& exchange, std::string unused);
  static Work WebFile(Exchange& exchange, std::string name);

  // The answer to a call: `message` in protobuf's JSON, or the problem.
  static HttpResponse Answer(const Exchange& exchange, const absl::Status& status,
                             const google::protobuf::Message& message, int http_status = 200);
  // The body as a message, in protobuf's JSON; empty is {}. INVALID_ARGUMENT says what is wrong.
  static absl::Status ReadMessage(const Exchange& exchange, google::protobuf::Message* message);
  // Calls with the body as the request, `{}` of the path as its `model`, and answers.
  template <typename Request, typename Response>
  static Work Transcode(Exchange& exchange, std::string model,
                        void (Backend::Stub::async::*method)(grpc::ClientContext*, const Request*, Response*,
                                                             std::function<void(grpc::Status)>));

  const Options options_;
  const Guard guard_;
  std::vector<std::unique_ptr<Backend>> backends_;  // by thread
};

}  // namespace digit
