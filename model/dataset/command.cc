#include "model/dataset/command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"

namespace digit {
namespace {

constexpr size_t kKeptBytes = 4096;

bool IsSet(const std::atomic<bool>* stop) { return stop != nullptr && stop->load(); }

// Reads until the program closes its end. False: the deadline passed first, or `stop` was set.
bool Drain(int fd, SteadyTime deadline, const std::atomic<bool>* stop, std::string* output) {
  const int64_t longest_wait_ms = stop != nullptr ? 200 : 60'000;  // a signal just before poll() does not end it
  while (true) {
    const absl::Duration left = deadline - SteadyClock()->Now();
    if (left <= absl::ZeroDuration() || IsSet(stop)) return false;
    pollfd waiting = {fd, POLLIN, 0};
    const int64_t wait_ms = std::clamp<int64_t>(absl::ToInt64Milliseconds(left) + 1, 1, longest_wait_ms);
    if (::poll(&waiting, 1, static_cast<int>(wait_ms)) <= 0) continue;  // time, or a signal: look at the clock again
    char piece[4096];
    const ssize_t n = ::read(fd, piece, sizeof(piece));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return true;
    output->append(piece, static_cast<size_t>(n));
    if (output->size() > kKeptBytes) output->erase(0, output->size() - kKeptBytes);
  }
}

int WaitFor(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

absl::StatusOr<CommandResult> RunCommand(const std::vector<std::string>& arguments, absl::Duration limit,
                                         const std::atomic<bool>* stop) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "make a pipe for", arguments[0]);
  const absl::Cleanup close_read = [fd = ends[0]] { ::close(fd); };
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (error != 0) return ErrnoStatus(error, "run", arguments[0]);
  CommandResult result;
  const bool ended = Drain(ends[0], SteadyClock()->Now() + limit, stop, &result.output);
  if (!ended) ::kill(pid, SIGKILL);
  result.exit_code = WaitFor(pid);
  if (IsSet(stop)) return absl::CancelledError(absl::StrCat("'", arguments[0], "' was stopped"));
  if (ended) return result;
  return absl::DeadlineExceededError(
      absl::StrCat("'", arguments[0], "' was stopped: it ran longer than ", absl::FormatDuration(limit)));
}

}  // namespace digit
