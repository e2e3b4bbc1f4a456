// libpng and libjpeg write what they think of a damaged picture to C's `stderr`, and Leptonica offers no way to stop
// them: a client that sends damaged pictures could fill the log with lines that no reader of it can parse.
#pragma once

namespace digit {

// Puts a stream in the place of `stderr` (glibc lets a program assign it) that drops what is written while a
// QuietStderr lives in the writing thread and passes all else on to descriptor 2. Call once, before other threads.
void InstallQuietStderr();

class QuietStderr {
 public:
  QuietStderr();
  ~QuietStderr();
  QuietStderr(const QuietStderr&) = delete;
  QuietStderr& operator=(const QuietStderr&) = delete;
};

}  // namespace digit
