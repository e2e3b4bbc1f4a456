// An allow-list of model files by their SHA-256, which the operator may change while the server runs.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace digit {

// Thread-safe; reads its file at every check.
class DigestList {
 public:
  // Lines that begin with 64 hex digits, as sha256sum prints them; empty ones and those that begin with # count for
  // nothing. `path` empty: everything is allowed.
  explicit DigestList(std::string path) : path_(std::move(path)) {}

  // FAILED_PRECONDITION: `sha256`, of the file `model`, is not in the list, or the list cannot be read. Any other line
  // makes the list unreadable.
  absl::Status Check(absl::string_view sha256, absl::string_view model) const;

 private:
  const std::string path_;
};

}  // namespace digit
