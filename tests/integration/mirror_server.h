// mirror_server.py as a child process for the life of a test.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace digit {

class MirrorServer {
 public:
  explicit MirrorServer(const std::string& root) {
    int in[2], out[2];
    DIGIT_CHECK(::pipe2(in, O_CLOEXEC) == 0 && ::pipe2(out, O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    std::string program = "python3", script = "tests/integration/mirror_server.py", folder = root;
    char* argv[] = {program.data(), script.data(), folder.data(), nullptr};
    DIGIT_CHECK(::posix_spawnp(&pid_, "python3", &actions, nullptr, argv, environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(in[0]);
    ::close(out[1]);
    stdin_ = in[1];
    char letter = 0;
    while (::read(out[0], &letter, 1) == 1 && letter != '\n') port_.push_back(letter);
    ::close(out[0]);
    DIGIT_CHECK(!port_.empty());
  }
  MirrorServer(const MirrorServer&) = delete;
  ~MirrorServer() {
    ::close(stdin_);  // its signal to end
    ::waitpid(pid_, nullptr, 0);
  }

  std::string Url(const std::string& mode) const { return absl::StrCat("http://127.0.0.1:", port_, "/", mode, "/"); }

 private:
  pid_t pid_ = 0;
  int stdin_ = -1;
  std::string port_;
};

}  // namespace digit
