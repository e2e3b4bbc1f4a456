// Runs another program and waits for it.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace digit {

struct CommandResult {
  int exit_code = 0;   // 128 + signal when a signal ended it
  std::string output;  // the last 4 KiB of what it wrote to stdout and stderr
};

// `arguments[0]` is looked up in PATH; no shell is involved; stdin is empty. Blocks until the program ends or `limit`
// has passed (then it is killed: DEADLINE_EXCEEDED). NOT_FOUND: there is no such program. Any exit code is OK here.
// CANCELLED: `stop`, which a signal handler or another thread may set, became true; the program was killed within a
// fifth of a second, or the same Ctrl-C had ended it already.
absl::StatusOr<CommandResult> RunCommand(const std::vector<std::string>& arguments, absl::Duration limit,
                                         const std::atomic<bool>* stop = nullptr);

}  // namespace digit
