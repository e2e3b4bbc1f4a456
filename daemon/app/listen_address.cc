#include "daemon/app/listen_address.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"

namespace digit {
namespace {

absl::Status CannotListen(const std::string& host_port, absl::string_view why, absl::string_view flag) {
  return absl::UnavailableError(
      absl::StrCat("cannot listen on ", host_port, ": ", why, "; choose another address with ", flag, " HOST:PORT"));
}

std::string Describe(int error, const std::string& port) {
  switch (error) {
    case EADDRINUSE:
      return absl::StrCat("port ", port, " is taken");
    case EADDRNOTAVAIL:
      return "this machine has no such address";
    case EACCES:
      return absl::StrCat("port ", port, " needs root");
    default:
      return std::strerror(error);
  }
}

// 0 or an errno.
int TryBind(const addrinfo& address) {
  const int fd = ::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));  // as gRPC does: old connections do not hold a port
  const int error = ::bind(fd, address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
  ::close(fd);
  return error;
}

}  // namespace

absl::Status CheckListenAddress(const std::string& host_port, absl::string_view flag, IpVersion version) {
  const size_t colon = host_port.rfind(':');
  std::string host = host_port.substr(0, colon);
  const std::string port = host_port.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);

  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE;
  hints.ai_family = version == IpVersion::kFour ? AF_INET : AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failure = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (failure != 0) {
    const absl::string_view kind = version == IpVersion::kFour ? "no IPv4 address" : "no address";
    return CannotListen(host_port, absl::StrCat("'", host, "' is ", kind, ": ", ::gai_strerror(failure)), flag);
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, &::freeaddrinfo);
  int error = 0;
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    error = TryBind(*address);
    if (error == 0) return absl::OkStatus();  // the servers listen on those that they can
  }
  return CannotListen(host_port, Describe(error, port), flag);
}

}  // namespace digit
