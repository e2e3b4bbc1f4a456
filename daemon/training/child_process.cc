#include "daemon/training/child_process.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"

namespace digit {
namespace {

constexpr int kEventsFd = 3;

// In the child, between fork() and exec(): only what is safe after the fork of a process with threads.
[[noreturn]] void BecomeProgram(char* const* argv, int log, int events, int failure, rlim_t max_data_bytes,
                                pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // it died before that took hold
  sigset_t none;
  sigemptyset(&none);
  for (int signal = 1; signal < NSIG; ++signal) {
    if (signal != SIGKILL && signal != SIGSTOP) std::signal(signal, SIG_DFL);
  }
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::setpriority(PRIO_PROCESS, 0, 19);
  const sched_param idle{};
  ::sched_setscheduler(0, SCHED_IDLE, &idle);
  const int oom = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (oom >= 0 && ::write(oom, "1000", 4) < 0) {  // it can be done without
  }
  const rlimit data = {max_data_bytes, max_data_bytes};
  ::setrlimit(RLIMIT_DATA, &data);
  const rlimit core = {0, 0};
  ::setrlimit(RLIMIT_CORE, &core);
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  // Above what is placed below, so that no number is lost.
  const int kept_failure = ::fcntl(failure, F_DUPFD_CLOEXEC, kEventsFd + 1);
  ::dup2(events, kEventsFd);  // without O_CLOEXEC
  if (events == kEventsFd) ::fcntl(kEventsFd, F_SETFD, 0);
  ::syscall(SYS_close_range, kEventsFd + 1, ~0U, 1U << 2);  // CLOSE_RANGE_CLOEXEC
  ::execv(argv[0], argv);
  const int error = errno;
  if (::write(kept_failure, &error, sizeof(error)) < 0) {  // then the exit code alone says it
  }
  ::_exit(127);
}

}  // namespace

absl::StatusOr<ChildProcess> ChildProcess::Start(const Options& options) {
  const int log = ::open(options.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log < 0) return ErrnoStatus(errno, "open", options.log);
  const absl::Cleanup close_log = [log] { ::close(log); };
  int events[2], failure[2];  // reading and writing ends
  if (::pipe2(events, O_CLOEXEC) != 0) return ErrnoStatus(errno, "make a pipe for", options.argv[0]);
  if (::pipe2(failure, O_CLOEXEC) != 0) {
    const absl::Status status = ErrnoStatus(errno, "make a pipe for", options.argv[0]);
    ::close(events[0]);
    ::close(events[1]);
    return status;
  }
  std::vector<char*> argv;
  for (const std::string& argument : options.argv) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t parent = ::getpid();

  ChildProcess child;
  child.pid_ = ::fork();
  if (child.pid_ == 0) {
    BecomeProgram(argv.data(), log, events[1], failure[1], static_cast<rlim_t>(options.max_data_bytes), parent);
  }
  const int fork_error = errno;
  ::close(events[1]);
  ::close(failure[1]);
  child.events_ = events[0];
  child.group_ = child.pid_;
  int error = 0;
  if (child.pid_ < 0) {
    error = fork_error;
  } else if (::read(failure[0], &error, sizeof(error)) <= 0) {  // closed by exec(): it runs
    error = 0;
  }
  ::close(failure[0]);
  if (child.pid_ > 0) child.pidfd_ = static_cast<int>(::syscall(SYS_pidfd_open, child.pid_, 0));
  if (error == 0 && child.pidfd_ < 0) error = errno;
  if (error != 0) return ErrnoStatus(error, "start", options.argv[0]);  // the destructor collects what is left of it
  ::fcntl(child.events_, F_SETFL, O_NONBLOCK);
  return child;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      group_(std::exchange(other.group_, -1)),
      pidfd_(std::exchange(other.pidfd_, -1)),
      events_(std::exchange(other.events_, -1)) {}

ChildProcess::~ChildProcess() {
  if (pid_ > 0) {
    Signal(SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  if (pidfd_ >= 0) ::close(pidfd_);
  if (events_ >= 0) ::close(events_);
}

void ChildProcess::Signal(int signal) const {
  if (group_ > 0) ::kill(-group_, signal);
}

std::optional<ChildProcess::Exit> ChildProcess::TryWait() {
  int status = 0;
  if (pid_ < 0 || ::waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  Signal(SIGKILL);  // whatever it has left behind
  pid_ = group_ = -1;
  Exit exit;
  if (WIFEXITED(status)) exit.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) exit.signal = WTERMSIG(status);
  return exit;
}

}  // namespace digit
