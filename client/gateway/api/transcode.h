// Calls whose HTTP form is protobuf's JSON of their messages.
#pragma once

#include <string>

#include "client/gateway/api/api.h"
#include "client/gateway/api/problem.h"

namespace digit {

template <typename Request, typename Response>
Api::Work Api::Transcode(Exchange& exchange, std::string model,
                         void (Backend::Stub::async::*method)(grpc::ClientContext*, const Request*, Response*,
                                                              std::function<void(grpc::Status)>)) {
  Request request;
  const absl::Status sound = ReadMessage(exchange, &request);
  if (!sound.ok()) co_return ProblemOf(sound, exchange.request_id);
  if constexpr (requires { request.set_model(std::string()); }) {
    if (!request.model().empty() && !model.empty() && request.model() != model) {
      co_return ProblemOf(400, "the body names another model than the path", exchange.request_id);
    }
    if (!model.empty()) request.set_model(model == "-" ? std::string() : model);
  }
  Response response;
  const absl::Status status =
      co_await exchange.backend.Call(method, request, exchange.metadata, &exchange.connection, &response);
  co_return Answer(exchange, status, response);
}

}  // namespace digit
