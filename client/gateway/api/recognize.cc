#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "client/gateway/api/api.h"
#include "client/gateway/api/picture_body.h"
#include "client/gateway/api/problem.h"
#include "client/gateway/api/recognition_json.h"

namespace digit {

namespace {

HttpResponse Json(std::string text) {
  HttpResponse response;
  response.content_type = "application/json";
  response.body = std::move(text);
  return response;
}

HttpResponse Plain(std::string text) {
  HttpResponse response;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::move(text);
  return response;
}

// How much the header Accept wants a type: first its quality (RFC 9110, 12.5.1), then how exactly it is named: 0 not at
// all, 1 by */*, 2 by text/*, 3 by its name, the most exact of which counts.
using Wish = std::pair<double, int>;

Wish WishFor(absl::string_view accept, absl::string_view type) {
  const std::string family = absl::StrCat(type.substr(0, type.find('/')), "/*");
  Wish wish;
  for (const absl::string_view range : absl::StrSplit(accept, ',')) {
    const std::string named = MediaTypeOf(range);
    const int exactness = named == type ? 3 : named == family ? 2 : named == "*/*" ? 1 : 0;
    if (exactness <= wish.second) continue;
    double quality = 1;
    for (absl::string_view parameter : absl::StrSplit(range, ';')) {
      parameter = absl::StripAsciiWhitespace(parameter);
      if (absl::StartsWithIgnoreCase(parameter, "q=") && !absl::SimpleAtod(parameter.substr(2), &quality)) quality = 0;
    }
    wish = {quality, exactness};
  }
  return wish;
}

}  // namespace

bool Api::WantsText(const Exchange& exchange) {
  const absl::string_view accept = exchange.http.header("accept");
  const Wish text = WishFor(accept, "text/plain");
  return text.first > 0 && text > WishFor(accept, "application/json");  // JSON when it does not matter
}

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
  if (tutorial && (body->include_pixels || body->include_timing)) {
    co_return ProblemOf(400, "this path knows no include; /v1/models/-:recognize does", exchange.request_id);
  }
  if (model == "-") model.clear();
  const bool is_plain = !body->include_pixels && !body->include_timing && exchange.metadata.traceparent.empty() &&
                        exchange.metadata.authorization.empty();
  if (is_plain && !body->is_list && Coalescer::IsSmall(body->pictures[0])) {
    const Coalescer::Answer answer = co_await exchange.backend.RecognizeSmall(
        std::move(model), std::move(body->version), std::move(body->pictures[0]), SentRequestId(exchange),
        &exchange.connection);
    const SharedAnswer& shared = *answer.shared;
    exchange.timing = shared.timing;
    if (!shared.status.ok()) co_return ProblemOf(shared.status, exchange.request_id);
    co_return AnswerOne(exchange, shared.response, answer.index, tutorial);
  }
  v1::RecognizeRequest request;
  request.set_model(std::move(model));
  request.set_version(std::move(body->version));
  for (std::string& picture : body->pictures) request.add_images()->set_encoded(std::move(picture));
  if (body->include_pixels) request.mutable_options()->set_include_pixels(true);
  if (body->include_timing) request.mutable_options()->set_include_timing(true);
  v1::RecognizeResponse response;
  absl::Status status = co_await exchange.backend.Call<v1::RecognizeRequest, v1::RecognizeResponse>(
      &Backend::Stub::async::Recognize, request, exchange.metadata, &exchange.connection, &response, &exchange.timing);
  if (status.ok()) status = CheckResults(response, request.images_size());
  if (!status.ok()) co_return ProblemOf(status, exchange.request_id);
  for (const auto& [index, why] : body->unreadable) response.mutable_results(index)->mutable_error()->set_message(why);
  if (!body->is_list) co_return AnswerOne(exchange, response, 0, tutorial);
  if (WantsText(exchange)) co_return Plain(PlainText(response));
  co_return Json(tutorial ? TutorialJson(response) : ManyResultsJson(response));
}

HttpResponse Api::AnswerOne(const Exchange& exchange, const v1::RecognizeResponse& response, int index, bool tutorial) {
  const v1::Result& result = response.results(index);
  if (result.has_error()) return ProblemOf(result.error(), exchange.request_id);
  if (WantsText(exchange)) return Plain(result.prediction().label() + "\n");
  return Json(tutorial ? TutorialJson(result) : OneResultJson(response, index));
}

}  // namespace digit
