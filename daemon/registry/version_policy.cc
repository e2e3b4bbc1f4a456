#include "daemon/registry/version_policy.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "daemon/registry/version_folders.h"

namespace digit {

std::vector<int64_t> VersionPolicy::Select(const std::vector<int64_t>& there) const {
  if (there.empty() || kind == Kind::kAll) return there;
  if (kind == Kind::kLatest) return {there.back()};
  std::vector<int64_t> selected;
  for (int64_t version : there) {
    if (versions.contains(version)) selected.push_back(version);
  }
  return selected;
}

absl::StatusOr<VersionPolicy> ParseVersionPolicy(absl::string_view text) {
  if (text == "latest") return VersionPolicy{};
  if (text == "all") return VersionPolicy{.kind = VersionPolicy::Kind::kAll};
  VersionPolicy policy{.kind = VersionPolicy::Kind::kSpecific};
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    const int64_t version = VersionNumber(part);
    if (version == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", text, "' is no choice of versions; it must be latest, all, or numbers from 1 such as 3,5"));
    }
    policy.versions.insert(version);
  }
  return policy;
}

}  // namespace digit
