// OpenStandardDescriptors() of base/file.h. In a file of its own, so that only programs that call it get the early
// start below; a shared library may not have one.
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"

// Nothing of a sanitizer may be used before it has set itself up.
#define DIGIT_BEFORE_EVERYTHING __attribute__((no_sanitize("address", "thread", "undefined")))

namespace digit {
namespace {

DIGIT_BEFORE_EVERYTHING void OpenClosedDescriptors() {
  // The wrong way round, so that use fails: a program must not take nothing for its input, nor think its output read.
  // What nobody can see of standard error is not worth failing for.
  constexpr int kModes[] = {O_WRONLY, O_RDONLY, O_RDWR};
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0) ::open("/dev/null", kModes[fd]);  // takes the lowest number that is free: fd
  }
}

// Before the constructors of shared libraries: gRPC's opens an event descriptor, which would become standard output.
__attribute__((section(".preinit_array"), used)) void (*const open_early)() = OpenClosedDescriptors;

}  // namespace

void OpenStandardDescriptors() { OpenClosedDescriptors(); }

}  // namespace digit
