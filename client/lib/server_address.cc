#include "client/lib/server_address.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace digit {
namespace {

absl::Status Wrong(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "' is not a server address: ", why, "; expected HOST:PORT, as in 127.0.0.1:50051"));
}

}  // namespace

absl::StatusOr<ServerAddress> ParseServerAddress(absl::string_view text) {
  if (absl::StrContains(text, "://")) return Wrong(text, "it has a scheme");
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return Wrong(text, "the port is missing");
  absl::string_view host = text.substr(0, colon);
  const bool bracketed = absl::ConsumePrefix(&host, "[") && absl::ConsumeSuffix(&host, "]");
  if (!bracketed && absl::StrContains(host, ":")) return Wrong(text, "an IPv6 address needs brackets, [::1]:50051");
  if (host.empty()) return Wrong(text, "the host is missing");
  if (host.find_first_of(" \t/[]@?#") != absl::string_view::npos) return Wrong(text, "the host has a wrong character");
  ServerAddress address{std::string(host)};
  if (!absl::SimpleAtoi(text.substr(colon + 1), &address.port) || address.port < 1 || address.port > 65535) {
    return Wrong(text, "the port must be 1 to 65535");
  }
  return address;
}

bool IsLoopback(absl::string_view host) {
  return host == "localhost" || host == "::1" || absl::StartsWith(host, "127.");
}

}  // namespace digit
