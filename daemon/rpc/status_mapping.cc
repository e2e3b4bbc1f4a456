#include "daemon/rpc/status_mapping.h"

#include <atomic>
#include <random>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/safe_text.h"

namespace digit {
namespace {

constexpr size_t kMaxMessageBytes = 1024;

// Unique enough to find one line in one server's log.
std::string NextRequestId() {
  static std::atomic<uint64_t> next{(uint64_t{std::random_device()()} << 32)};
  return absl::StrCat(absl::Hex(next.fetch_add(1), absl::kZeroPad16));
}

}  // namespace

bool IsHidden(const absl::Status& status) {
  return status.code() == absl::StatusCode::kInternal || status.code() == absl::StatusCode::kUnknown;
}

std::string PublicMessage(const absl::Status& status) {
  if (status.ok()) return "";
  if (IsHidden(status)) {
    const std::string id = NextRequestId();
    LogError("internal error", {{"request_id", id}, {"error", status}});
    return absl::StrCat("internal error; the server's log has it under request_id=", id);
  }
  return SafeText(status.message(), kMaxMessageBytes);
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), PublicMessage(status));
}

}  // namespace digit
