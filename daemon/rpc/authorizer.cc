#include "daemon/rpc/authorizer.h"

#include <array>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace digit {
namespace {

enum class For { kEverybody, kAdmins };

constexpr std::array<std::pair<absl::string_view, For>, 28> kMethods = {{
    // digit.v1.DigitService
    {"Recognize", For::kEverybody},
    {"RecognizeStream", For::kEverybody},
    {"ListModels", For::kEverybody},
    {"GetModel", For::kEverybody},
    {"ReloadModel", For::kAdmins},
    {"RollbackModel", For::kAdmins},
    {"PromoteModel", For::kAdmins},
    {"ShadowModel", For::kAdmins},
    {"Train", For::kAdmins},
    {"WatchTraining", For::kEverybody},
    {"CancelTraining", For::kAdmins},
    {"ListTrainings", For::kEverybody},
    {"SubmitFeedback", For::kEverybody},
    {"ListFeedback", For::kAdmins},
    {"ReviewFeedback", For::kAdmins},
    {"GetModelStats", For::kEverybody},
    // inference.GRPCInferenceService
    {"ServerLive", For::kEverybody},
    {"ServerReady", For::kEverybody},
    {"ModelReady", For::kEverybody},
    {"ServerMetadata", For::kEverybody},
    {"ModelMetadata", For::kEverybody},
    {"ModelInfer", For::kEverybody},
    {"ModelStreamInfer", For::kEverybody},
    {"ModelConfig", For::kEverybody},
    {"ModelStatistics", For::kEverybody},
    {"RepositoryIndex", For::kEverybody},
    {"RepositoryModelLoad", For::kAdmins},
    {"RepositoryModelUnload", For::kAdmins},
}};

const For* Find(absl::string_view method) {
  for (const auto& [name, who] : kMethods) {
    if (name == method) return &who;
  }
  return nullptr;
}

// In a time that does not tell how much of it is right.
bool SameSecret(absl::string_view a, absl::string_view b) {
  unsigned char difference = a.size() == b.size() ? 0 : 1;
  for (size_t i = 0; i < a.size(); ++i)
    difference |= static_cast<unsigned char>(a[i] ^ b[b.empty() ? 0 : i % b.size()]);
  return difference == 0;
}

}  // namespace

bool Authorizer::Knows(absl::string_view method) { return Find(method) != nullptr; }
bool Authorizer::IsForAdmins(absl::string_view method) { return Knows(method) && *Find(method) == For::kAdmins; }

absl::Status Authorizer::Check(absl::string_view method, const grpc::ServerContextBase& context) const {
  const auto value = [&context](const char* name) {
    const auto found = context.client_metadata().find(name);
    return found == context.client_metadata().end() ? absl::string_view()
                                                    : absl::string_view(found->second.data(), found->second.size());
  };
  return Check(method, value("authorization"), value("digit-caller") == "remote");
}

absl::Status Authorizer::Check(absl::string_view method, absl::string_view sent, bool is_remote) const {
  const For* who = Find(method);
  DIGIT_CHECK(who != nullptr);
  if (*who == For::kEverybody) return absl::OkStatus();
  if (options_.admin_token.empty()) {
    if (options_.listens_on_loopback && !is_remote) return absl::OkStatus();
    return absl::PermissionDeniedError(absl::StrCat(
        method,
        " is for admins, and this server has no admin token: start digitd with --admin-token-file FILE, or call ",
        "it on a loopback address of its own machine"));
  }
  if (sent.empty()) {
    return absl::UnauthenticatedError(
        absl::StrCat(method, " is for admins: send the token as authorization: Bearer TOKEN"));
  }
  constexpr absl::string_view kScheme = "Bearer ";  // in whatever case: RFC 9110, 11.1
  if (!absl::StartsWithIgnoreCase(sent, kScheme) || !SameSecret(sent.substr(kScheme.size()), options_.admin_token)) {
    return absl::UnauthenticatedError(absl::StrCat(method, " is for admins, and this is not their token"));
  }
  return absl::OkStatus();
}

bool IsLoopbackAddress(absl::string_view host_port) {
  const absl::string_view host = host_port.substr(0, host_port.rfind(':'));
  if (host == "localhost" || host == "[::1]") return true;
  return absl::StartsWith(host, "127.") && host.find_first_not_of("0123456789.") == absl::string_view::npos;
}

}  // namespace digit
