// What the terminal can show, text made safe for it, and the progress bar.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace digit {

struct Terminal {
  bool stdout_is_terminal = false;
  bool shows_progress = false;  // stderr is a terminal that can rewrite a line, which TERM=dumb says it cannot
  bool color = false;           // stdout is a terminal that has colour, and NO_COLOR (no-color.org) is empty
  bool unicode = false;         // the locale is UTF-8
  int stderr_width = 80;        // columns
};

// Looks at the descriptors, the locale, NO_COLOR, TERM. Sets the process's LC_CTYPE: call it in main(), before threads.
Terminal DetectTerminal();

// Control characters (also in the C1 range) as \xNN and invalid UTF-8 as U+FFFD: whatever a file name or a server
// holds, a line stays one line, cannot steer the terminal, and is valid JSON text.
std::string Printable(absl::string_view text);

// The same repair of UTF-8 alone.
std::string ValidUtf8(absl::string_view text);

// Columns that printable UTF-8 text takes: wide East Asian characters count two, in a UTF-8 locale.
int DisplayWidth(absl::string_view text);

// "[#######       ]  123/500  1234/s  0:03 left", at most `width` columns, no line end.
std::string FormatProgress(int64_t done, int64_t total, absl::Duration elapsed, int width, bool unicode);

// A bar in the last line of standard error, if that can show one; else nothing. Not thread-safe.
class ProgressBar {
 public:
  ProgressBar(const Terminal& terminal, int64_t total);
  ~ProgressBar();  // removes the bar

  // Call before anything else is written to the terminal, and Advance() after it.
  void Clear();
  // One more is done; draws at most ten times a second.
  void Advance();

 private:
  const Terminal terminal_;
  const int64_t total_;
  const absl::Time start_;
  int64_t done_ = 0;
  absl::Time last_drawn_;
  bool drawn_ = false;
};

}  // namespace digit
