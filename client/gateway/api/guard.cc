#include "client/gateway/api/guard.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/gateway/api/picture_body.h"
#include "client/lib/server_address.h"

namespace digit {
namespace {

// Our own page's requests say so; curl and other programs say nothing.
bool IsFromAnotherPage(const HttpRequest& request) {
  const absl::string_view origin = request.header("origin");
  if (!origin.empty()) {
    const size_t scheme = origin.find("://");
    return scheme == absl::string_view::npos || origin.substr(scheme + 3) != request.header("host");
  }
  const absl::string_view site = request.header("sec-fetch-site");
  return site == "cross-site" || site == "same-site";
}

// Forms always name a type, and browsers say where a script's request comes from. Triton's client names none.
bool IsTypelessFromAProgram(const HttpRequest& request) {
  return request.header("content-type").empty() && request.header("origin").empty() &&
         request.header("sec-fetch-site").empty();
}

}  // namespace

absl::string_view HostOf(absl::string_view host_port) {
  if (absl::StartsWith(host_port, "[")) return host_port.substr(1, host_port.find(']') - 1);
  return host_port.substr(0, host_port.find(':'));
}

bool Guard::KnowsHost(absl::string_view host) const {
  if (!options_.hosts.empty()) {
    return std::any_of(options_.hosts.begin(), options_.hosts.end(),
                       [&](const std::string& known) { return absl::EqualsIgnoreCase(known, host); });
  }
  return !options_.listens_on_loopback || IsLoopback(host);
}

bool Guard::MayAsk(absl::string_view origin) const {
  return std::find(options_.origins.begin(), options_.origins.end(), origin) != options_.origins.end();
}

std::optional<Guard::Refusal> Guard::Check(const HttpRequest& request, Access access) const {
  const absl::string_view host = HostOf(request.header("host"));
  const bool is_old = request.is_http_1_0 && host.empty();  // and no browser
  if (!is_old && !KnowsHost(host)) {
    return Refusal{421,
                   absl::StrCat("Host '", host.substr(0, 100), "' is none of this gateway's; --allow-host adds one")};
  }
  if (access == Access::kRead) return std::nullopt;
  const bool is_admin = access == Access::kAdmin || access == Access::kAdminRead;
  if (IsFromAnotherPage(request) && !MayAsk(request.header("origin"))) {
    return Refusal{403, "web pages of other origins may not ask this; --allow-origin lets one"};
  }
  const bool changes = access == Access::kChange || access == Access::kAdmin;
  if (changes && MediaTypeOf(request.header("content-type")) != "application/json" &&
      !IsTypelessFromAProgram(request)) {
    return Refusal{415, "Content-Type must be application/json, which no HTML form can send"};
  }
  if (is_admin && is_remote() && !absl::StartsWithIgnoreCase(request.header("authorization"), "Bearer ")) {
    return Refusal{401, "this is for admins: send the token as Authorization: Bearer TOKEN"};
  }
  return std::nullopt;
}

HttpHeaders Guard::CorsHeaders(absl::string_view origin) const {
  if (origin.empty() || !MayAsk(origin)) return {};
  return {
      {"Access-Control-Allow-Origin", std::string(origin)},
      {"Access-Control-Expose-Headers", "Inference-Header-Content-Length, Retry-After, Server-Timing, X-Request-Id"},
      {"Vary", "Origin"}};
}

}  // namespace digit
