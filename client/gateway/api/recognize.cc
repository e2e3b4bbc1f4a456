#include "absl/strings/match.h"
#include "client/gateway/api/api.h"
#include "client/gateway/api/picture_body.h"
#include "client/gateway/api/problem.h"
#include "client/gateway/api/recognition_json.h"

namespace digit {

Api::Work Api::Recognize(Exchange& exchange, std::string model) {
  return RecognizeBody(exchange, std::move(model), /*tutorial=*/false);
}

Api::Work Api::RecognizeAsInTutorial(Exchange& exchange, std::string model) {
  return RecognizeBody(exchange, std::move(model), /*tutorial=*/true);
}

Api::Work Api::RecognizeBody(Exchange& exchange, std::string model, bool tutorial) {
  absl::StatusOr<PictureBody> body = ReadPictureBody(exchange.http, exchange.url);
  if (!body.ok()) {
    if (absl::IsUnimplemented(body.status())) co_return ProblemOf(415, body.status().message(), exchange.request_id);
    co_return ProblemOf(body.status(), exchange.request_id);
  }
  v1::RecognizeRequest request;
  request.set_model(model == "-" ? "" : std::move(model));
  request.set_version(std::move(body->version));
  for (std::string& picture : body->pictures) request.add_images()->set_encoded(std::move(picture));
  if (body->include_pixels) request.mutable_options()->set_include_pixels(true);
  if (body->include_timing) request.mutable_options()->set_include_timing(true);
  v1::RecognizeResponse response;
  const absl::Status status = co_await exchange.backend.Call<v1::RecognizeRequest, v1::RecognizeResponse>(
      &Backend::Stub::async::Recognize, request, exchange.metadata, &exchange.connection, &response, &exchange.timing);
  if (!status.ok()) co_return ProblemOf(status, exchange.request_id);
  const bool one = !body->is_list && response.results_size() == 1;
  if (one && response.results(0).has_error()) co_return ProblemOf(response.results(0).error(), exchange.request_id);
  HttpResponse answer{.content_type = "application/json", .headers = {}, .body = {}, .stream = {}};
  if (absl::StartsWith(exchange.http.header("accept"), "text/plain")) {
    answer.content_type = "text/plain; charset=utf-8";
    answer.body = PlainText(response);
  } else if (tutorial) {
    answer.body = one ? TutorialJson(response.results(0)) : TutorialJson(response);
  } else {
    answer.body = one ? OneResultJson(response) : ManyResultsJson(response);
  }
  co_return answer;
}

}  // namespace digit
