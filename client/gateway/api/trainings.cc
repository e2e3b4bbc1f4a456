#include <boost/asio/this_coro.hpp>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/gateway/api/api.h"
#include "client/gateway/api/message_json.h"
#include "client/gateway/api/problem.h"
#include "client/gateway/api/transcode.h"

namespace digit {

using AsyncStub = class Backend::Stub::async;

// Begins a training and leaves it: it is followed by GET /v1/trainings/{id}.
Api::Work Api::Train(Exchange& exchange, std::string model) {
  v1::TrainRequest request;
  const absl::Status sound = ReadMessage(exchange, &request);
  if (!sound.ok()) co_return ProblemOf(sound, exchange.request_id);
  request.set_model(model == "-" ? "" : std::move(model));
  request.set_detached(true);
  absl::Status status;
  const auto feed = exchange.backend.Train(request, exchange.metadata, co_await asio::this_coro::executor);
  exchange.connection.on_gone = [&feed] { feed->Cancel(); };
  const std::optional<v1::Training> first = co_await feed->Next(&status);
  exchange.connection.on_gone = nullptr;
  if (!first.has_value()) co_return ProblemOf(status, exchange.request_id);
  co_return Answer(exchange, absl::OkStatus(), *first, 202);
}

Api::Work Api::ListTrainings(Exchange& exchange, std::string unused) {
  return Transcode<v1::ListTrainingsRequest, v1::ListTrainingsResponse>(exchange, std::move(unused),
                                                                        &AsyncStub::ListTrainings);
}

// Proxies cut a connection that is quiet for a minute, and an epoch may take longer. A comment, which readers skip.
constexpr absl::Duration kHeartbeat = absl::Seconds(15);

// One answer, or, for who accepts text/event-stream, Server-Sent Events until it has ended, or a problem.
Api::Work Api::GetTraining(Exchange& exchange, std::string id) {
  std::shared_ptr<Backend::TrainingFeed> feed =
      exchange.backend.WatchTraining(id, exchange.metadata, co_await asio::this_coro::executor);
  exchange.connection.on_gone = [feed] { feed->Cancel(); };
  absl::Status status;
  std::optional<v1::Training> first = co_await feed->Next(&status);
  if (!first.has_value()) {
    exchange.connection.on_gone = nullptr;
    co_return ProblemOf(status, exchange.request_id);
  }
  if (!absl::StrContains(exchange.http.header("accept"), "text/event-stream")) {
    exchange.connection.on_gone = nullptr;
    co_return Answer(exchange, absl::OkStatus(), *first);
  }
  HttpResponse events{.content_type = "text/event-stream", .headers = {}, .body = {}, .stream = {}};
  events.headers.emplace_back("X-Accel-Buffering", "no");  // proxies of nginx's kind hold back what is small
  HttpExchange& connection = exchange.connection;
  events.stream = [feed, &connection,
                   training = *std::move(first)](HttpWriter& writer) mutable -> asio::awaitable<void> {
    connection.on_gone = [feed] { feed->Cancel(); };
    absl::Status ended;
    std::optional<v1::Training> next = std::move(training);
    bool is_read = true;
    while (is_read && (next.has_value() || absl::IsDeadlineExceeded(ended))) {
      std::string part = ": quiet\n\n";
      if (next.has_value()) part = absl::StrCat("event: training\ndata: ", MessageToJson(*next), "\n\n");
      is_read = co_await writer.Write(std::move(part));
      ended = absl::OkStatus();
      if (is_read) next = co_await feed->Next(&ended, kHeartbeat);
    }
    if (is_read && !ended.ok()) {  // it goes on elsewhere, or is lost: not the end of the training
      const HttpResponse problem = ProblemOf(ended, "");
      co_await writer.Write(absl::StrCat("event: problem\ndata: ", problem.body, "\n\n"));
    }
    feed->Cancel();
    connection.on_gone = nullptr;
  };
  co_return events;
}

Api::Work Api::CancelTraining(Exchange& exchange, std::string id) {
  v1::CancelTrainingRequest request;
  request.set_id(std::move(id));
  v1::CancelTrainingResponse response;
  const absl::Status status = co_await exchange.backend.Call<v1::CancelTrainingRequest, v1::CancelTrainingResponse>(
      &AsyncStub::CancelTraining, request, exchange.metadata, &exchange.connection, &response);
  co_return Answer(exchange, status, response);
}

}  // namespace digit
