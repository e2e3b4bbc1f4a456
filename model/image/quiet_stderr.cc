#include "model/image/quiet_stderr.h"

#include <unistd.h>

#include <cstdio>

namespace digit {
namespace {

thread_local int quiet = 0;

ssize_t Write(void*, const char* data, size_t size) {
  return quiet > 0 ? static_cast<ssize_t>(size) : ::write(STDERR_FILENO, data, size);
}

}  // namespace

void InstallQuietStderr() {
  std::FILE* const stream = ::fopencookie(nullptr, "w", {.read = nullptr, .write = &Write});
  if (stream == nullptr) return;  // out of memory: then it stays as loud as it was
  std::setvbuf(stream, nullptr, _IONBF, 0);
  stderr = stream;
}

QuietStderr::QuietStderr() { ++quiet; }
QuietStderr::~QuietStderr() { --quiet; }

}  // namespace digit
