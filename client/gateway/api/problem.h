// Errors as HTTP shows them: one table from status codes, one form (RFC 9457, application/problem+json).
#pragma once

#include <string>

#include "absl/status/status.h"
#include "client/gateway/http/message.h"
#include "digit/v1/digit.pb.h"

namespace digit {

// Of a gRPC status code; RESOURCE_EXHAUSTED is 429 and UNAVAILABLE 503, as proto/digit/v1/digit.proto explains.
int HttpStatusOf(absl::StatusCode code);
// Of one image's error.
int HttpStatusOf(v1::ErrorReason reason);

// "no_digit" for ERROR_REASON_NO_DIGIT.
absl::string_view NameOf(v1::ErrorReason reason);

// An object {"title":...,"status":...,"detail":...,"code":...}. Empty `code` and `reason` are left out.
std::string ProblemJson(int status, absl::string_view detail, absl::string_view code, absl::string_view reason = "",
                        absl::string_view request_id = "");

// The answer to a failed call, with Retry-After where the status says when, WWW-Authenticate on 401.
HttpResponse ProblemOf(const absl::Status& status, absl::string_view request_id);
// One without a gRPC code behind it.
HttpResponse ProblemOf(int http_status, absl::string_view detail, absl::string_view request_id);
// The answer to the only image of a request.
HttpResponse ProblemOf(const v1::ImageError& error, absl::string_view request_id);

// A JSON string with its quotes.
std::string Quoted(absl::string_view text);

}  // namespace digit
