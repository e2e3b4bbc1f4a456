#include "client/ctl/bench/process_cpu.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <system_error>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

namespace digit {
namespace {

namespace fs = std::filesystem;

// Lines of /proc/net/tcp, see proc(5): "sl local_address rem_address st ... inode"; state 0A is LISTEN, the port is in
// hexadecimal after the address's last colon.
void AddListeningInodes(const std::string& file, int port, std::set<std::string>* sockets) {
  const std::string end = absl::StrFormat(":%04X", port);
  std::ifstream in(file);
  std::string line;
  while (std::getline(in, line)) {
    std::istringstream fields(line);
    std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
    fields >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >> timeout >> inode;
    if (state == "0A" && local.size() > 5 && local.substr(local.size() - 5) == end) {
      sockets->insert(absl::StrCat("socket:[", inode, "]"));
    }
  }
}

bool HoldsOne(const fs::path& descriptors, const std::set<std::string>& sockets) {
  std::error_code error;
  for (fs::directory_iterator it(descriptors, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    if (sockets.count(fs::read_symlink(it->path(), gone).string()) != 0) return true;
  }
  return false;
}

absl::Duration ToDuration(const timeval& time) { return absl::DurationFromTimeval(time); }

}  // namespace

std::optional<ListeningProcess> FindListener(int port, const std::string& proc) {
  std::set<std::string> sockets;
  AddListeningInodes(proc + "/net/tcp", port, &sockets);
  AddListeningInodes(proc + "/net/tcp6", port, &sockets);
  if (sockets.empty()) return std::nullopt;
  std::optional<ListeningProcess> found;
  std::error_code error;
  for (fs::directory_iterator it(proc, error), end; !error && it != end; it.increment(error)) {
    int pid = 0;
    if (!absl::SimpleAtoi(it->path().filename().string(), &pid) || !HoldsOne(it->path() / "fd", sockets)) continue;
    if (found.has_value()) return std::nullopt;
    found = ListeningProcess{pid, ""};
    std::ifstream name(it->path() / "comm");
    std::getline(name, found->name);
  }
  return found;
}

bool IsInterfaceAddress(const std::string& host) {
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return false;
  const absl::Cleanup cleanup = [all] { freeifaddrs(all); };
  for (const ifaddrs* one = all; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr) continue;
    char text[INET6_ADDRSTRLEN] = "";
    if (one->ifa_addr->sa_family == AF_INET) {
      inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr, text, sizeof(text));
    } else if (one->ifa_addr->sa_family == AF_INET6) {
      inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(one->ifa_addr)->sin6_addr, text, sizeof(text));
    }
    if (host == text) return true;
  }
  return false;
}

std::optional<absl::Duration> CpuTimeOf(pid_t pid) {
  clockid_t clock;
  timespec time;
  if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) return std::nullopt;
  return absl::DurationFromTimespec(time);
}

absl::Duration OwnCpuTime() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return ToDuration(usage.ru_utime) + ToDuration(usage.ru_stime);
}

}  // namespace digit
