#include "client/lib/call_status.h"

#include <cstdint>
#include <initializer_list>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace digit {
namespace {

// gRPC 1.51 reports every failure to connect as UNAVAILABLE with one of these; a server's own UNAVAILABLE (draining,
// not loaded) has none of them.
bool IsConnectionProblem(absl::string_view message) {
  for (const char* sign : {"failed to connect", "DNS resolution failed", "Socket closed", "Connection reset",
                           "Broken pipe", "GOAWAY", "Endpoint read failed", "empty address list"}) {
    if (absl::StrContains(message, sign)) return true;
  }
  return false;
}

// The part of gRPC's chain of causes that a user needs: "connection refused".
std::string Cause(absl::string_view message) {
  if (absl::StrContains(message, "DNS resolution failed")) return "the host name does not resolve";
  for (const char* sign : {"Socket closed", "Connection reset", "Broken pipe", "GOAWAY", "Endpoint read failed"}) {
    if (absl::StrContains(message, sign)) return "the connection broke";
  }
  const size_t colon = message.rfind(": ");
  std::string cause(colon == absl::string_view::npos ? message : message.substr(colon + 2));
  if (!cause.empty()) cause[0] = absl::ascii_tolower(static_cast<unsigned char>(cause[0]));
  return cause;
}

}  // namespace

absl::Status ToClientStatus(const grpc::Status& status, const std::string& server, absl::Duration timeout,
                            bool connected) {
  if (status.ok()) return absl::OkStatus();
  const absl::StatusCode code = static_cast<absl::StatusCode>(status.error_code());  // equal by value
  const std::string& message = status.error_message();
  if (code == absl::StatusCode::kUnavailable && IsConnectionProblem(message)) {
    const std::string cause = Cause(message);
    const char* remedy = cause == "connection refused" || cause == "the connection broke"
                             ? ". Is digitd running? Start it with: digitd --model mnist.pt"
                             : "";
    return absl::UnavailableError(absl::StrCat("cannot reach ", server, ": ", cause, remedy));
  }
  if (code == absl::StatusCode::kDeadlineExceeded) {
    return absl::DeadlineExceededError(
        connected ? absl::StrCat("no answer from ", server, " within ", absl::FormatDuration(timeout))
                  : absl::StrCat("cannot reach ", server, ": no connection within ", absl::FormatDuration(timeout)));
  }
  if (code == absl::StatusCode::kUnimplemented) {
    return absl::UnimplementedError(
        absl::StrCat(server, " does not know this call: it is not a digitd, or one of another version"));
  }
  return absl::Status(code,
                      absl::StrCat(server, " says: ", message.empty() ? absl::StatusCodeToString(code) : message));
}

std::optional<absl::Duration> RetryPushback(const grpc::Status& status, const grpc::ClientContext& context) {
  if (status.error_code() != grpc::StatusCode::RESOURCE_EXHAUSTED) return std::nullopt;
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto found = trailers.find("grpc-retry-pushback-ms");
  int64_t millis = 0;
  if (found == trailers.end() ||
      !absl::SimpleAtoi(absl::string_view(found->second.data(), found->second.size()), &millis) || millis < 0) {
    return std::nullopt;
  }
  return absl::Milliseconds(millis);
}

}  // namespace digit
