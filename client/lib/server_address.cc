#include "client/lib/server_address.h"

#include <netdb.h>
#include <sys/socket.h>

#include <memory>
#include <set>

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
  const bool every_address = absl::ConsumePrefix(&text, "dns:///");
  if (absl::StrContains(text, "://")) return Wrong(text, "it has a scheme");
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return Wrong(text, "the port is missing");
  absl::string_view host = text.substr(0, colon);
  const bool bracketed = absl::ConsumePrefix(&host, "[") && absl::ConsumeSuffix(&host, "]");
  if (!bracketed && absl::StrContains(host, ":")) return Wrong(text, "an IPv6 address needs brackets, [::1]:50051");
  if (host.empty()) return Wrong(text, "the host is missing");
  if (host.find_first_of(" \t/[]@?#") != absl::string_view::npos) return Wrong(text, "the host has a wrong character");
  ServerAddress address{.host = std::string(host), .every_address = every_address};
  if (!absl::SimpleAtoi(text.substr(colon + 1), &address.port) || address.port < 1 || address.port > 65535) {
    return Wrong(text, "the port must be 1 to 65535");
  }
  return address;
}

absl::StatusOr<std::vector<std::string>> ResolveServers(const std::string& text) {
  absl::StatusOr<ServerAddress> server = ParseServerAddress(text);
  if (!server.ok()) return server.status();
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failure = ::getaddrinfo(server->host.c_str(), nullptr, &hints, &found);
  if (failure != 0) {
    return absl::UnavailableError(absl::StrCat("cannot resolve '", server->host, "': ", ::gai_strerror(failure)));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, &::freeaddrinfo);
  std::set<std::string> servers;
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    char host[NI_MAXHOST];
    if (::getnameinfo(address->ai_addr, address->ai_addrlen, host, sizeof(host), nullptr, 0, NI_NUMERICHOST) != 0) {
      continue;
    }
    const bool brackets = address->ai_family == AF_INET6;
    servers.insert(absl::StrCat(brackets ? "[" : "", host, brackets ? "]:" : ":", server->port));
  }
  return std::vector<std::string>(servers.begin(), servers.end());
}

bool IsLoopback(absl::string_view host) {
  if (absl::EqualsIgnoreCase(host, "localhost") || host == "::1") return true;
  return absl::StartsWith(host, "127.") && host.find_first_not_of("0123456789.") == absl::string_view::npos;
}

}  // namespace digit
