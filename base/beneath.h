// Files whose names somebody else has chosen, looked up beneath a root: "..", absolute names and symbolic links fail
// where they lead out of it, also while somebody is changing them. Linux's openat2 does it (Linux 5.6).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace digit {

// As ReadFile() of ROOT/NAME. INVALID_ARGUMENT: `name` is empty or leads out of `root`. UNIMPLEMENTED: the kernel, or
// the container's seccomp profile, has no openat2.
absl::StatusOr<std::string> ReadFileBeneath(const std::string& root, const std::string& name, int64_t max_bytes);

// What is in the folder ROOT/NAME (an empty `name`: in `root`), sorted, without "." and "..". Errors as above;
// NOT_FOUND also when it is no folder.
absl::StatusOr<std::vector<std::string>> ListFolderBeneath(const std::string& root, const std::string& name);

}  // namespace digit
