#include "client/gateway/api/problem.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/json.h"
#include "base/retry_after.h"
#include "base/safe_text.h"

namespace digit {

int HttpStatusOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return 200;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return 400;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kFailedPrecondition:
      return 409;
    case absl::StatusCode::kResourceExhausted:
      return 429;
    case absl::StatusCode::kCancelled:
      return 499;
    case absl::StatusCode::kUnimplemented:
      return 501;
    case absl::StatusCode::kUnavailable:
      return 503;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    default:  // UNKNOWN, INTERNAL, DATA_LOSS, and what is no code at all
      return 500;
  }
}

int HttpStatusOf(v1::ErrorReason reason) {
  switch (reason) {
    case v1::ERROR_REASON_NO_DIGIT:
      return 422;
    case v1::ERROR_REASON_UNDECODABLE:
      return 400;
    case v1::ERROR_REASON_TOO_LARGE:
      return 413;
    case v1::ERROR_REASON_OVERLOADED:
      return 429;
    case v1::ERROR_REASON_EXPIRED:
      return 504;
    default:
      return 500;
  }
}

absl::string_view NameOf(v1::ErrorReason reason) {
  switch (reason) {
    case v1::ERROR_REASON_NO_DIGIT:
      return "no_digit";
    case v1::ERROR_REASON_UNDECODABLE:
      return "undecodable";
    case v1::ERROR_REASON_TOO_LARGE:
      return "too_large";
    case v1::ERROR_REASON_OVERLOADED:
      return "overloaded";
    case v1::ERROR_REASON_EXPIRED:
      return "expired";
    default:
      return "internal";
  }
}

std::string Quoted(absl::string_view text) { return json::serialize(json::string_view(text.data(), text.size())); }

std::string ProblemJson(int status, absl::string_view detail, absl::string_view code, absl::string_view reason,
                        absl::string_view request_id) {
  constexpr size_t kMaxDetail = 4096;  // and no byte of the caller's that would break the JSON
  std::string problem = absl::StrCat(R"({"type":"about:blank","title":)", Quoted(HttpReason(status)), R"(,"status":)",
                                     status, R"(,"detail":)", Quoted(SafeText(detail, kMaxDetail)));
  if (!code.empty()) absl::StrAppend(&problem, R"(,"code":)", Quoted(code));
  if (!reason.empty()) absl::StrAppend(&problem, R"(,"reason":)", Quoted(reason));
  if (!request_id.empty()) absl::StrAppend(&problem, R"(,"request_id":)", Quoted(request_id));
  return problem + "}";
}

namespace {

constexpr char kProblem[] = "application/problem+json";

HttpResponse Answer(int status, std::string body) {
  HttpResponse response{
      .status = status, .content_type = kProblem, .headers = {}, .body = std::move(body), .stream = {}};
  if (status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

}  // namespace

HttpResponse ProblemOf(const absl::Status& status, absl::string_view request_id) {
  const int http_status = HttpStatusOf(status.code());
  HttpResponse response = Answer(
      http_status, ProblemJson(http_status, status.message(), absl::StatusCodeToString(status.code()), "", request_id));
  const std::optional<absl::Duration> retry_after = RetryAfterOf(status);
  if (retry_after.has_value()) {
    response.headers.emplace_back("Retry-After",
                                  absl::StrCat(static_cast<int64_t>(std::ceil(absl::ToDoubleSeconds(*retry_after)))));
  }
  return response;
}

HttpResponse ProblemOf(int http_status, absl::string_view detail, absl::string_view request_id) {
  return Answer(http_status, ProblemJson(http_status, detail, "", "", request_id));
}

HttpResponse ProblemOf(const v1::ImageError& error, absl::string_view request_id) {
  const int http_status = HttpStatusOf(error.reason());
  HttpResponse response =
      Answer(http_status, ProblemJson(http_status, error.message(),
                                      absl::StatusCodeToString(static_cast<absl::StatusCode>(error.code())),
                                      NameOf(error.reason()), request_id));
  if (http_status == 429) response.headers.emplace_back("Retry-After", "1");
  return response;
}

}  // namespace digit
