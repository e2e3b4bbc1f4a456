#include "daemon/rpc/status_mapping.h"

#include <atomic>
#include <random>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"

namespace digit {
namespace {

constexpr size_t kMaxMessageBytes = 1024;

// Unique enough to find one line in one server's log.
std::string NextRequestId() {
  static std::atomic<uint64_t> next{(uint64_t{std::random_device()()} << 32)};
  return absl::StrCat(absl::Hex(next.fetch_add(1), absl::kZeroPad16));
}

}  // namespace

std::string PublicMessage(const absl::Status& status) {
  if (status.ok()) return "";
  if (status.code() == absl::StatusCode::kInternal || status.code() == absl::StatusCode::kUnknown) {
    const std::string id = NextRequestId();
    LogError("internal error", {{"request_id", id}, {"error", status}});
    return absl::StrCat("internal error; the server's log has it under request_id=", id);
  }
  std::string message(status.message().substr(0, kMaxMessageBytes));
  for (char& c : message) {  // parts of it may be the caller's own, and go to others' terminals and logs
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = '?';
  }
  return message;
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), PublicMessage(status));
}

}  // namespace digit
