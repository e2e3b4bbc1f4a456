// Which of a model's version folders are loaded.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace digit {

// Pure. The highest selected version is the one to be live; the others are there for requests that name them.
struct VersionPolicy {
  enum class Kind { kLatest, kAll, kSpecific };
  Kind kind = Kind::kLatest;
  std::set<int64_t> versions;  // of kSpecific

  // Those of `versions`, which ascend, that are loaded; ascending.
  std::vector<int64_t> Select(const std::vector<int64_t>& versions) const;
};

// "latest", "all", or numbers: "3,5". INVALID_ARGUMENT for anything else.
absl::StatusOr<VersionPolicy> ParseVersionPolicy(absl::string_view text);

}  // namespace digit
